"""A check may say what the person was arrested for; its decision keeps that."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "decision",
        sa.Column(
            "offence_codes",
            ARRAY(sa.Text),
            nullable=False,
            server_default="{}",
            comment="Given with a check alone; a custody record has its own",
        ),
        schema="custody",
    )
