"""How far an import of nominals has come, so that one that broke off goes on from there."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    counts = [sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS]
    op.create_table(
        "nominal_import",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column(
            "last_line",
            sa.BigInteger(),
            nullable=False,
            comment="Up to this line of the file all is settled",
        ),
        *counts,
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False, comment="System clock"),
        sa.PrimaryKeyConstraint("source"),
        schema=S,
    )
    op.create_table(
        "nominal_refusal",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "line"),
        sa.ForeignKeyConstraint(["source"], [f"{S}.nominal_import.source"], ondelete="CASCADE"),
        schema=S,
    )


_COUNTS = ("created", "updated", "unchanged", "refused")
