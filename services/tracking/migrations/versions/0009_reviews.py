"""What became of reviews, and since when a person is known here."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    for column in (
        sa.Column("resolution", sa.SmallInteger(), comment="ppo.tracking.v1.ReviewResolution"),
        sa.Column("resolved_time", sa.DateTime(timezone=True)),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("note", sa.Text(), comment="What was found"),
    ):
        op.add_column("review", column, schema=S)
    op.alter_column("review", "kind", comment="fact, case, merge or transfer", schema=S)
    op.add_column(
        "person",
        sa.Column(
            "known_time",
            sa.DateTime(timezone=True),
            comment="When the first flag came; None for somebody known before this was kept",
        ),
        schema=S,
    )
