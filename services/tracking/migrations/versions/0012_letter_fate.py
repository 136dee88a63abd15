"""What was done about records that could not be taken."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letter_fate",
        sa.Column("letter_id", sa.Text(), nullable=False, comment="Topic, partition and offset"),
        sa.Column("fate", sa.SmallInteger(), nullable=False, comment="ppo.tracking.v1.DeadLetterFate"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why it was discarded"),
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("letter_id", name="letter_fate_pkey"),
        schema="tracking",
    )
