"""Why an episode on the register ended."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    reason = sa.Column(
        "removal_reason",
        sa.SmallInteger(),
        server_default=sa.text("0"),
        nullable=False,
        comment="ppo.flagging.v1.RemovalReason; 0 while it stands or is not known",
    )
    op.add_column("episode", reason, schema=S)
