"""The version of the nominal index: by it a replica has the index in memory, which the cues served before."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    op.create_table(
        "nominal_index",
        sa.Column("single", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("single = 1", name="nominal_index_is_one_row"),
        sa.PrimaryKeyConstraint("single"),
        schema=S,
    )
    op.add_column(
        "nominal",
        sa.Column("version", sa.BigInteger(), comment="Of the index, at the last change"),
        schema=S,
    )
    op.execute(
        f"""
        UPDATE {S}.nominal SET version = numbered.version
        FROM (SELECT nominal_id, row_number() OVER () AS version FROM {S}.nominal) numbered
        WHERE numbered.nominal_id = nominal.nominal_id;
        INSERT INTO {S}.nominal_index SELECT 1, count(*) FROM {S}.nominal;
        """
    )
    op.alter_column("nominal", "version", nullable=False, schema=S)
    op.create_unique_constraint("nominal_version_key", "nominal", ["version"], schema=S)
    op.drop_column("nominal", "born", schema=S)
    op.drop_column("nominal", "cues", schema=S)
