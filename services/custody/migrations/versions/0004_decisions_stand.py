"""A decision stands as it was made: nobody changes or deletes one, save that its input goes."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

S = "custody"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE FUNCTION {S}.decision_stands() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.input IS NULL THEN
                NEW.input := OLD.input;
                IF NEW IS NOT DISTINCT FROM OLD THEN
                    NEW.input := NULL;
                    RETURN NEW;
                END IF;
            END IF;
            RAISE check_violation USING CONSTRAINT = 'decision_stands', MESSAGE = 'a decision stands';
        END
        $$
        """
    )
    op.execute(
        f"CREATE TRIGGER decision_stands BEFORE UPDATE OR DELETE ON {S}.decision"
        f" FOR EACH ROW EXECUTE FUNCTION {S}.decision_stands()"
    )
