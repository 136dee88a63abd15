"""The prison of a notice, by which a month's deliveries are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    prison = sa.Column(
        "prison",
        sa.Text(),
        nullable=False,
        server_default=sa.text("''"),
        comment="Where it happened; else empty",
    )
    op.add_column("notice", prison, schema="tracking")
