"""How many convictions a nomination named, and what they indicate."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = sa.Column("persistence", JSONB(), comment="ppo.flagging.v1.Persistence")
    op.add_column("registration_step", told, schema="flagging")
