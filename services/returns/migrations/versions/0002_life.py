"""The life of a return: its steps, additions with their source, what a revision corrects and why."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

S = "returns"


def upgrade() -> None:
    _revisions()
    _steps()
    _additions()


def _revisions() -> None:
    op.drop_constraint("revision_sent_once_checked", "revision", schema=S)
    op.create_check_constraint(
        "sent_once_checked", "revision", "(submitted_time IS NULL) = (state IN (1, 6))", schema=S
    )
    for name, comment in (("reason", "Why it was closed again"), ("explanation", "Of the residual")):
        column = sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''"), comment=comment)
        op.add_column("revision", column, schema=S)
    for name, comment in (
        ("residual", "What of M0 does not follow from the month before"),
        ("corrects_revision", "The submitted one that this corrects; 0 for none"),
        ("cells_changed", "How many cells are other than in the revision before"),
    ):
        number = sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0"), comment=comment)
        op.add_column("revision", number, schema=S)


def _steps() -> None:
    op.create_table(
        "step",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column(
            "state",
            sa.SmallInteger(),
            nullable=False,
            comment="ppo.returns.v1.ReturnState that it came into",
        ),
        sa.Column("recorded_time", sa.DateTime(timezone=True), nullable=False),
        _words("recorded_by"),
        _words("words", comment="The question or the answer"),
        _of_revision(),
        sa.PrimaryKeyConstraint("return_id", "revision", "place"),
        schema=S,
    )
    op.execute(
        f"CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON {S}.step "
        f"FOR EACH ROW EXECUTE FUNCTION {S}.refuse_change()"
    )


def _additions() -> None:
    op.create_table(
        "addition",
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        _words("measure"),
        _words("breakdown"),
        _words("category", comment="Empty with the total"),
        sa.Column("value", sa.Integer(), nullable=False),
        _words("source"),
        _of_revision(),
        sa.PrimaryKeyConstraint("return_id", "revision", "measure", "breakdown", "category"),
        schema=S,
    )


def _of_revision() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["return_id", "revision"], [f"{S}.revision.return_id", f"{S}.revision.revision"]
    )


def _words(name: str, comment: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)
