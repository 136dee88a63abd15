"""What has been heard of prison movements, and the prison numbers that they brought."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    _inbox()
    op.add_column(
        "nominal_identifier",
        sa.Column(
            "learnt",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="A prison number that a merge brought: an import of the person's row leaves it",
        ),
        schema=S,
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False, comment="System clock"),
        sa.PrimaryKeyConstraint("consumer", "event_id"),
        schema=S,
    )
    op.create_index("inbox_recorded_time_idx", "inbox", ["recorded_time"], schema=S)
