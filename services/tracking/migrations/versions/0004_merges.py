"""Merges of nominals: whose an episode was, and from when until when two nominals were one person."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    op.add_column(
        "episode",
        sa.Column(
            "registered_id",
            sa.Text(),
            comment="The nominal that was registered, where it lives on in this one",
        ),
        schema=S,
    )
    op.add_column(
        "episode",
        sa.Column(
            "merged",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="It ended because the person had an earlier one",
        ),
        schema=S,
    )
    op.add_column(
        "episode",
        sa.Column(
            "flag_version",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="Of the flag that said so",
        ),
        schema=S,
    )
    op.create_table(
        "nominal_merge",
        sa.Column("nominal_id", sa.Text(), nullable=False),
        sa.Column("merged_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("into_id", sa.Text(), nullable=False),
        sa.Column("unmerged_time", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        sa.PrimaryKeyConstraint("nominal_id", "merged_time"),
        schema=S,
    )
