"""Deliveries by their time limits, for the counts of a month."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("delivery_due_time_idx", "delivery", ["due_time"], schema="tracking")
