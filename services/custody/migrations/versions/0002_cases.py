"""Whose case each person is, as tracking tells it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

S = "custody"


def upgrade() -> None:
    op.create_table(
        "case_state",
        sa.Column("nominal_id", sa.Text(), nullable=False),
        sa.Column(
            "version", sa.BigInteger(), nullable=False, comment="A state applies over a lower one only"
        ),
        sa.Column("message", sa.LargeBinary(), nullable=False, comment="ppo.tracking.v1.Case"),
        sa.PrimaryKeyConstraint("nominal_id"),
        schema=S,
    )
