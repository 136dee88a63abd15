"""What a month counts by, in columns: attributes of persons, drug tests, progress; who was on a list."""

import sqlalchemy as sa
from alembic import op

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from services.tracking import days

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    _persons()
    _drug_tests()
    _progress()
    _closings()
    op.create_index("episode_nominating_ocu_idx", "episode", ["nominating_ocu"], schema=S)
    op.create_index("ownership_owner", "ownership", ["owner", "nominal_id"], schema=S)


def _persons() -> None:
    for column in (
        sa.Column(
            "sex",
            sa.SmallInteger(),
            nullable=False,
            server_default=sa.text("0"),
            comment="ppo.person.v1.Sex, as in the flag",
        ),
        sa.Column(
            "ethnicity_code",
            sa.Text(),
            nullable=False,
            server_default=sa.text("''"),
            comment="As in the flag; empty where it is not recorded",
        ),
        sa.Column(
            "born_first",
            sa.Date(),
            comment="The earliest day that the date of birth may mean; none where the year is not known",
        ),
        sa.Column("born_last", sa.Date(), comment="The latest such day"),
    ):
        op.add_column("person", column, schema=S)
    _fill_persons()


def _fill_persons() -> None:
    held = op.get_bind().execute(sa.text(f"SELECT nominal_id, flag FROM {S}.person")).all()
    fill = sa.text(
        f"UPDATE {S}.person SET sex = :sex, ethnicity_code = :code, born_first = :first, born_last = :last "
        "WHERE nominal_id = :nominal_id"
    )
    for nominal_id, flag in held:
        person = flagging.Flag.FromString(flag).person
        values = {
            "nominal_id": nominal_id,
            "sex": person.sex,
            "code": person.ethnicity_code,
            "first": days.earliest(person.birth_date),
            "last": days.latest(person.birth_date),
        }
        op.execute(fill.bindparams(**values))


def _drug_tests() -> None:
    op.create_table(
        "drug_test",
        _words("fact_id"),
        _words("detention_id"),
        _words("suite_id"),
        _instant("tested_time"),
        sa.Column("result", sa.SmallInteger(), nullable=False, comment="ppo.custody.v1.TestResult"),
        sa.Column("drug", sa.SmallInteger(), nullable=False, comment="ppo.custody.v1.Drug"),
        sa.ForeignKeyConstraint(["fact_id"], [f"{S}.fact.fact_id"]),
        sa.PrimaryKeyConstraint("fact_id"),
        schema=S,
    )
    for column in ("detention_id", "tested_time"):
        op.create_index(f"drug_test_{column}_idx", "drug_test", [column], schema=S)
    _fill_drug_tests()


def _fill_drug_tests() -> None:
    asked = sa.text(f"SELECT fact_id, message, occurred_time FROM {S}.fact WHERE message_type = :type")
    told = op.get_bind().execute(asked, {"type": custody.PpoDrugTested.DESCRIPTOR.full_name}).all()
    fill = sa.text(
        f"INSERT INTO {S}.drug_test VALUES (:fact_id, :detention_id, :suite_id, :tested, :result, :drug)"
    )
    for fact_id, message, occurred in told:
        test = custody.PpoDrugTested.FromString(message)
        values = {
            "fact_id": fact_id,
            "detention_id": test.detention_id,
            "suite_id": test.suite_id,
            "tested": occurred,
            "result": test.drug_test.result,
            "drug": test.drug_test.drug,
        }
        op.execute(fill.bindparams(**values))


def _progress() -> None:
    op.create_table(
        "progress",
        _words("progress_id"),
        _words("nominal_id"),
        sa.Column("kind", sa.SmallInteger(), nullable=False, comment="ppo.tracking.v1.ProgressKind"),
        sa.Column("done_date", sa.Date(), nullable=False),
        sa.Column("offence_date", sa.Date(), comment="Of what was sentenced"),
        _words("organisation", comment="The agency or the court"),
        _instant("recorded_time"),
        _words("recorded_by"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        sa.PrimaryKeyConstraint("progress_id"),
        schema=S,
    )
    op.create_index("progress_person", "progress", ["nominal_id", "kind", "done_date"], schema=S)
    op.create_index("progress_done_date_idx", "progress", ["done_date"], schema=S)


def _closings() -> None:
    for name, default, comment in (
        ("reason", "''", "Why it was closed again"),
        ("explanation", "''", "Of what does not follow from the month before"),
        ("tool_version", "'1'", None),
    ):
        column = sa.Column(name, sa.Text(), nullable=False, server_default=sa.text(default), comment=comment)
        op.add_column("closing", column, schema=S)
    members: sa.Column[list[str]] = sa.Column(
        "members",
        sa.ARRAY(sa.Text()),
        nullable=False,
        server_default=sa.text("'{}'"),
        comment="Who was on the list at the month's end",
    )
    op.add_column("closing", members, schema=S)


def _words(name: str, comment: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, comment=comment)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)
