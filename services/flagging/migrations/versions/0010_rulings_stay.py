"""What the keeper of the register said of a prison number is only ever added to."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON {S}.prison_ruling
            FOR EACH ROW EXECUTE FUNCTION {S}.refuse_change();
        """
    )
