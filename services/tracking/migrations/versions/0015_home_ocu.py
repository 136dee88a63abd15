"""The OCU by which a youth offending team has a case: one of two areas is counted in that of the home."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    home = sa.Column(
        "home_ocu",
        sa.Text(),
        nullable=False,
        server_default=sa.text("''"),
        comment="Of a youth offending team's case the OCU of the home; else, or not known, empty",
    )
    op.add_column("ownership", home, schema="tracking")
