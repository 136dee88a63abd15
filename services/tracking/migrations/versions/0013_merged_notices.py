"""To whom a merge was told; a recall that nobody executes waits for somebody."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    op.alter_column("review", "kind", comment="fact, case, merge, transfer or recall", schema=S)
    op.add_column(
        "notice",
        sa.Column(
            "goes_on_as",
            sa.Text(),
            nullable=False,
            server_default=sa.text("''"),
            comment="The nominal that the person lives on as, as its recipients were told last",
        ),
        schema=S,
    )
