"""The rolls of prisons: who asked, who may be a PPO, and what the keeper of the register said."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

S = "flagging"
COUNTS = ("lines", "refused", "flagged", "possible", "not_flagged", "unknown", "linked")


def upgrade() -> None:
    _rolls()
    _matches()
    _rulings()


def _rolls() -> None:
    op.create_table(
        "roll",
        sa.Column("roll_id", sa.Uuid(), nullable=False),
        sa.Column("prison", sa.Text(), nullable=False, comment="The caller's organisation"),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="The caller's subject"),
        sa.Column("asked_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.SmallInteger(), nullable=False, comment="ppo.policy.v1.Purpose"),
        sa.Column(
            "register_version",
            sa.BigInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="Of the last answer given",
        ),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0")) for name in COUNTS),
        sa.PrimaryKeyConstraint("roll_id"),
        schema=S,
    )


def _matches() -> None:
    op.create_table(
        "prison_match",
        sa.Column("prison_number", sa.Text(), nullable=False),
        sa.Column(
            "person",
            sa.LargeBinary(),
            nullable=False,
            comment="ppo.person.v1.Person as the roll has it; gone when this is resolved or lapses",
        ),
        sa.Column(
            "candidates",
            sa.ARRAY(sa.Uuid()),
            nullable=False,
            comment="Who it may be: their nominal ids, best first",
        ),
        sa.Column("asked_time", sa.DateTime(timezone=True), nullable=False, comment="First"),
        sa.Column("lapse_time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("prison_number"),
        schema=S,
    )
    op.create_index("prison_match_asked_time_idx", "prison_match", ["asked_time"], schema=S)


def _rulings() -> None:
    op.create_table(
        "prison_ruling",
        sa.Column("ruling_id", sa.Uuid(), nullable=False),
        sa.Column("prison_number", sa.Text(), nullable=False),
        sa.Column("nominal_id", sa.Uuid(), comment="Whose it is; empty: none of those ruled out"),
        sa.Column("ruled_out", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="The caller's subject"),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("(nominal_id IS NULL) = (cardinality(ruled_out) > 0)", name="says_one_thing"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.nominal.nominal_id"]),
        sa.PrimaryKeyConstraint("ruling_id"),
        schema=S,
    )
    op.create_index("prison_ruling_prison_number_idx", "prison_ruling", ["prison_number"], schema=S)
