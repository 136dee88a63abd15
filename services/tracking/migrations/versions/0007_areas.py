"""Which postcodes lie in which area, by versions that are loaded; of whom an address was told."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    op.create_table(
        "area_version",
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("loaded_by", sa.Text(), nullable=False, comment="Subject and organisation of the caller"),
        sa.Column("reason", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("rows_added", "rows_withdrawn", "cases_touched")
        ),
        sa.PrimaryKeyConstraint("version"),
        schema=S,
    )
    _starts()
    op.create_table(
        "address",
        sa.Column("nominal_id", sa.Text(), nullable=False),
        sa.Column("postcode", sa.Text(), nullable=False),
        sa.Column("premises", sa.Text(), nullable=False, comment="Empty where none was told"),
        sa.PrimaryKeyConstraint("nominal_id", "postcode", "premises"),
        schema=S,
    )


def _starts() -> None:
    version = f"{S}.area_version.version"
    op.create_table(
        "area_start",
        sa.Column(
            "postcode", sa.Text(), nullable=False, comment="A postcode, or the sector or district of several"
        ),
        sa.Column("premises", sa.Text(), nullable=False, comment="With a postcode the house; else empty"),
        sa.Column("effective_date", sa.Date(), nullable=False),
        sa.Column("since_version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("area", sa.Text(), nullable=False, comment="Empty where no row says it from then on"),
        sa.Column("until_version", sa.BigInteger(), comment="The first in which it stands no longer"),
        sa.ForeignKeyConstraint(["since_version"], [version], name="area_start_since_version_fkey"),
        sa.ForeignKeyConstraint(["until_version"], [version], name="area_start_until_version_fkey"),
        sa.PrimaryKeyConstraint("postcode", "premises", "effective_date", "since_version"),
        schema=S,
    )
    op.create_index(
        "area_start_standing",
        "area_start",
        ["postcode", "premises", "effective_date"],
        unique=True,
        postgresql_where=sa.text("until_version IS NULL"),
        schema=S,
    )


def downgrade() -> None:
    for table in ("address", "area_start", "area_version"):
        op.drop_table(table, schema=S)
