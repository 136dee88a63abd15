"""The date of entry on the housing register, which a provider acknowledges a notice with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    comment = "Of entry on the housing register, as acknowledged"
    op.add_column("delivery", sa.Column("register_date", sa.Date(), nullable=True, comment=comment), schema=S)
    op.create_check_constraint(
        op.f("delivery_register_date_known"),
        "delivery",
        "register_date IS NULL OR acknowledged_time IS NOT NULL",
        schema=S,
    )
