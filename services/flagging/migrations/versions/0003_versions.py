"""Persons before each change, who once held an identifier, and what a step says of its registration."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    _versions()
    _former_holders()
    _particulars()


def _versions() -> None:
    op.create_table(
        "nominal_version",
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        _instant("recorded_time", "From when on it stood so"),
        _instant("superseded_time", "Until when"),
        sa.Column("person", sa.LargeBinary(), nullable=False, comment="ppo.person.v1.Person as it stood"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.nominal.nominal_id"]),
        sa.PrimaryKeyConstraint("nominal_id", "recorded_time"),
        schema=S,
    )
    # One version follows another whatever the clock does; a row that comes in costs nothing.
    op.execute(
        f"""
        CREATE FUNCTION {S}.keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.recorded_time := greatest(NEW.recorded_time, OLD.recorded_time + interval '1 microsecond');
            INSERT INTO {S}.nominal_version (nominal_id, recorded_time, superseded_time, person)
            VALUES (OLD.nominal_id, OLD.recorded_time, NEW.recorded_time, OLD.person);
            RETURN NEW;
        END $$;
        CREATE TRIGGER versioned BEFORE UPDATE ON {S}.nominal
            FOR EACH ROW WHEN (OLD.person IS DISTINCT FROM NEW.person)
            EXECUTE FUNCTION {S}.keep_version();
        CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON {S}.nominal_version
            FOR EACH ROW EXECUTE FUNCTION {S}.refuse_change();
        """
    )


def _former_holders() -> None:
    op.create_table(
        "former_holder",
        sa.Column(
            "kind", sa.SmallInteger(), autoincrement=False, nullable=False,
            comment="ppo.person.v1.IdentifierKind",
        ),
        sa.Column("value", sa.Text(), nullable=False, comment="Canonical"),
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.nominal.nominal_id"]),
        sa.PrimaryKeyConstraint("kind", "value", "nominal_id"),
        schema=S,
    )  # fmt: skip
    op.execute(
        f"""
        CREATE FUNCTION {S}.keep_holder() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO {S}.former_holder (kind, value, nominal_id)
            SELECT kind, value, nominal_id FROM lost ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$;
        CREATE TRIGGER lost AFTER DELETE ON {S}.nominal_identifier REFERENCING OLD TABLE AS lost
            FOR EACH STATEMENT EXECUTE FUNCTION {S}.keep_holder();
        CREATE TRIGGER moved AFTER UPDATE ON {S}.nominal_identifier REFERENCING OLD TABLE AS lost
            FOR EACH STATEMENT EXECUTE FUNCTION {S}.keep_holder();
        """
    )


def _particulars() -> None:
    op.add_column(
        "registration_step",
        sa.Column(
            "strand", sa.SmallInteger(), comment="With criteria and OCU, where the step says them anew"
        ),
        schema=S,
    )
    op.add_column("registration_step", sa.Column("criteria", sa.ARRAY(sa.SmallInteger())), schema=S)
    op.add_column("registration_step", sa.Column("nominating_ocu", sa.Text()), schema=S)
    # What was overwritten before is lost: the first step says what stands now.
    op.execute(
        f"""
        ALTER TABLE {S}.registration_step DISABLE TRIGGER only_added;
        UPDATE {S}.registration_step step
        SET strand = one.strand, criteria = one.criteria, nominating_ocu = one.nominating_ocu
        FROM {S}.registration one WHERE one.registration_id = step.registration_id AND step.number = 1;
        ALTER TABLE {S}.registration_step ENABLE TRIGGER only_added;
        """
    )


def _instant(name: str, comment: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False, comment=comment)
