"""What officers are to do, who is held elsewhere too, and why something said before was wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

S = "custody"


def upgrade() -> None:
    op.add_column(
        "detention",
        sa.Column(
            "instructions",
            sa.LargeBinary(),
            nullable=False,
            server_default="",
            comment="ppo.custody.v1.Instructions: all that was asked for and stands or was withdrawn",
        ),
        schema=S,
    )
    op.add_column(
        "detention",
        sa.Column(
            "elsewhere",
            sa.ARRAY(sa.Text()),
            nullable=False,
            server_default="{}",
            comment="Other suites that hold the same PPO, as this one was last told",
        ),
        schema=S,
    )
    op.add_column(
        "verdict",
        sa.Column(
            "reason",
            sa.Text(),
            nullable=False,
            server_default="",
            comment="Why what was said before is wrong; empty where nothing was",
        ),
        schema=S,
    )
    _corrections()


def _corrections() -> None:
    op.create_table(
        "drug_test_correction",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("test_id", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("drug", sa.Text(), nullable=False),
        sa.Column("tested_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tested_by", sa.Text(), nullable=False),
        sa.Column("corrected_by", sa.Text(), nullable=False),
        sa.Column(
            "recorded_time", sa.DateTime(timezone=True), nullable=False, comment="When it was corrected"
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["test_id"], [f"{S}.drug_test.test_id"], name="drug_test_correction_test_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="drug_test_correction_pkey"),
        schema=S,
    )
    op.create_index("drug_test_correction_test_id", "drug_test_correction", ["test_id"], schema=S)
