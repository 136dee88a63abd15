"""Notices that are provisional while a hold lasts, and deliveries that only confirm."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    op.add_column(
        "notice",
        sa.Column("hold_time", sa.DateTime(timezone=True), comment="When it is confirmed; None once it is"),
        schema=S,
    )
    op.add_column(
        "delivery",
        sa.Column(
            "silent",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="It confirms what the organisation had already",
        ),
        schema=S,
    )
