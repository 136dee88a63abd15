"""A month of an area, its revisions, their counts; and requests."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

S = "returns"


def upgrade() -> None:
    _months()
    _revisions()
    _counts()
    _requests()


def _months() -> None:
    op.create_table(
        "monthly_return",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        _words("area"),
        sa.Column("month", sa.Date(), nullable=False, comment="Its first day"),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("latest_revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("return_id"),
        sa.UniqueConstraint("area", "month"),
        schema=S,
    )


def _revisions() -> None:
    op.create_table(
        "revision",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column("state", sa.SmallInteger(), nullable=False, comment="ppo.returns.v1.ReturnState"),
        _instant("cut_off_time", comment="When the month was closed"),
        _words("tool_version", comment="Of the definitions that were counted by"),
        sa.Column(
            "brought_forward",
            sa.Integer(),
            comment="M0 of the month before as it was then; empty on a first return",
        ),
        _instant("recorded_time"),
        _words("recorded_by"),
        _instant("submitted_time", nullable=True),
        _words("submitted_by"),
        sa.CheckConstraint("(submitted_time IS NULL) = (state = 1)", name="sent_once_checked"),
        sa.ForeignKeyConstraint(["return_id"], [f"{S}.monthly_return.return_id"]),
        sa.PrimaryKeyConstraint("return_id", "revision"),
        schema=S,
    )


def _counts() -> None:
    op.create_table(
        "count",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        _words("measure"),
        _words("breakdown"),
        _words("category", comment="Empty with the total"),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["return_id", "revision"], [f"{S}.revision.return_id", f"{S}.revision.revision"]
        ),
        sa.PrimaryKeyConstraint("return_id", "revision", "measure", "breakdown", "category"),
        schema=S,
    )
    op.execute(
        f"""
        CREATE FUNCTION {S}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '%: rows are only ever added', TG_TABLE_NAME;
        END $$;
        CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON {S}.count
            FOR EACH ROW EXECUTE FUNCTION {S}.refuse_change();
        """
    )


def _requests() -> None:
    op.create_table(
        "request",
        _words("caller"),
        _words("rpc"),
        _words("request_id"),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the request"),
        sa.Column("reply", sa.LargeBinary(), comment="What was answered"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("caller", "rpc", "request_id"),
        schema=S,
    )


def _words(name: str, comment: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _instant(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)
