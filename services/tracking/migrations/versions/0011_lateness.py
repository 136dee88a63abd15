"""What organisations have not acknowledged in time, and who has been told of it."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "lateness",
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("due_time", instant, nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False, comment="ppo.tracking.v1.EscalationLevel"),
        sa.Column("escalated_time", instant, nullable=False, comment="When it came to that level"),
        sa.Column("settled_time", instant, comment="When it was acknowledged after all"),
        sa.PrimaryKeyConstraint("notice_id", "organisation", name="lateness_pkey"),
        sa.ForeignKeyConstraint(["notice_id"], [f"{S}.notice.notice_id"], name="lateness_notice_id_fkey"),
        schema=S,
    )
    op.create_index("lateness_due_time_idx", "lateness", ["due_time"], schema=S)
