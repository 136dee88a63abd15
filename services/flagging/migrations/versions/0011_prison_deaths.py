"""Which movement of a prison told of a death, and which registration that ended: it may be taken back."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    op.create_table(
        "prison_death",
        sa.Column("movement_id", sa.Text(), nullable=False),
        sa.Column("prison_number", sa.Text(), nullable=False),
        sa.Column("registration_id", sa.Uuid(), comment="That had ended by the death"),
        sa.Column("died_time", sa.DateTime(timezone=True), comment="Empty: the reversal came first"),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_time", sa.DateTime(timezone=True), comment="When it was taken back"),
        sa.CheckConstraint("num_nonnulls(died_time, undone_time) > 0", name="was_told_or_taken_back"),
        sa.ForeignKeyConstraint(["registration_id"], [f"{S}.registration.registration_id"]),
        sa.PrimaryKeyConstraint("movement_id"),
        schema=S,
    )
    op.create_index("prison_death_registration_id_idx", "prison_death", ["registration_id"], schema=S)
