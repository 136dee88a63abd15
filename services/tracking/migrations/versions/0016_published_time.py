"""When a notice was published, for as long as the ledger has it."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    published = sa.Column(
        "published_time",
        sa.DateTime(timezone=True),
        comment="When Kafka had it, once the outbox knows it no longer; system clock",
    )
    op.add_column("delivery", published, schema="tracking")
