"""Persons, facts and what is derived of them, notices, months; events, requests and due work."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

S = "tracking"


def upgrade() -> None:
    _persons()
    _facts()
    _notices()
    _months()
    _events()
    _work()


def _persons() -> None:
    op.create_table(
        "person",
        _words("nominal_id"),
        _bytes("flag", comment="ppo.flagging.v1.Flag, the highest version seen"),
        _big("flag_version"),
        _words("merged_into", comment="The nominal that lives on", nullable=True),
        _words("case_reference", comment="Random: all that a provider knows the person by"),
        _big("case_version"),
        _bytes("case", comment="ppo.tracking.v1.Case as published, without version and time"),
        sa.UniqueConstraint("case_reference"),
        sa.PrimaryKeyConstraint("nominal_id"),
        schema=S,
    )
    op.create_index("person_merged_into_idx", "person", ["merged_into"], schema=S)
    op.create_table(
        "episode",
        _words("registration_id"),
        _words("nominal_id"),
        _small("strand", comment="ppo.person.v1.Strand"),
        _words("nominating_ocu"),
        _instant("start_time"),
        _instant("end_time", nullable=True),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        sa.PrimaryKeyConstraint("registration_id"),
        schema=S,
    )
    op.create_index("episode_nominal_id_idx", "episode", ["nominal_id"], schema=S)
    op.create_table(
        "identifier",
        _small("kind", comment="ppo.person.v1.IdentifierKind"),
        _words("value", comment="Canonical"),
        _words("nominal_id"),
        _big("flag_version", comment="Of the flag that said so; 0 for a prison's merge"),
        sa.PrimaryKeyConstraint("kind", "value"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        schema=S,
    )
    op.create_index("identifier_nominal_id_idx", "identifier", ["nominal_id"], schema=S)
    op.create_table(
        "parked",
        _words("movement_id"),
        _words("prison_number"),
        _bytes("movement", comment="ppo.tracking.v1.Movement"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("movement_id", "prison_number"),
        schema=S,
    )
    op.create_index("parked_prison_number_idx", "parked", ["prison_number"], schema=S)


def _facts() -> None:
    op.create_table(
        "fact",
        _words("fact_id"),
        _words("nominal_id", comment="None for a movement, which is its prison number's", nullable=True),
        _words("prison_number", nullable=True),
        _words("message_type", comment="Full name of the message"),
        _bytes("message"),
        _instant("occurred_time"),
        _instant("recorded_time"),
        _instant("withdrawn_time", comment="When it was found to be wrong", nullable=True),
        sa.PrimaryKeyConstraint("fact_id"),
        schema=S,
    )
    op.create_index("fact_nominal_id_idx", "fact", ["nominal_id"], schema=S)
    op.create_index("fact_prison_number_idx", "fact", ["prison_number"], schema=S)
    op.create_table(
        "stage",
        _words("nominal_id"),
        _instant("effective_time"),
        _small("position", comment="ppo.tracking.v1.Position"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        sa.PrimaryKeyConstraint("nominal_id", "effective_time"),
        schema=S,
    )
    op.create_table(
        "ownership",
        sa.Column("ownership_id", sa.BigInteger(), nullable=False),
        _words("nominal_id"),
        _instant("effective_time"),
        _words("owner", comment="Empty for nobody"),
        _words("rule"),
        _small("state", comment="ppo.tracking.v1.OwnershipState"),
        _instant("recorded_time"),
        _instant("superseded_time", nullable=True),
        _bytes("ownership", comment="ppo.tracking.v1.Ownership"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        sa.PrimaryKeyConstraint("ownership_id"),
        schema=S,
    )
    op.create_index(
        "ownership_standing",
        "ownership",
        ["nominal_id", "effective_time"],
        schema=S,
        unique=True,
        postgresql_where=sa.text("superseded_time IS NULL"),
    )
    op.create_table(
        "review",
        _words("subject", comment="The fact, or the case"),
        _words("nominal_id"),
        _words("kind", comment="fact, case or merge"),
        _words("reason"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("subject", "nominal_id"),
        schema=S,
    )


def _notices() -> None:
    op.create_table(
        "notice",
        _words("notice_id"),
        _words("nominal_id"),
        _small("type", comment="ppo.tracking.v1.NoticeType"),
        _words("cause", comment="The fact or registration that it tells of"),
        _words("told", comment="What is told, as a text: another one is another revision"),
        _number("revision"),
        _small("state", comment="ppo.tracking.v1.NoticeState"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("notice_id"),
        sa.UniqueConstraint("nominal_id", "type", "cause"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.person.nominal_id"]),
        schema=S,
    )
    op.create_table(
        "organisation",
        _words("organisation"),
        _big("last_number"),
        sa.PrimaryKeyConstraint("organisation"),
        schema=S,
    )
    op.create_table(
        "delivery",
        _words("notice_id"),
        _words("organisation"),
        _number("revision"),
        _big("number", comment="Rises with every record sent to the organisation"),
        _words("role", comment="The audience that it was projected onto"),
        _words("topic"),
        _words("key"),
        _words("message_type", comment="Full name of the message"),
        _bytes("message", comment="As it was made, for a retraction; not as it was sent"),
        _bytes("record", comment="As it was sent"),
        _small("state", comment="ppo.tracking.v1.NoticeState"),
        _instant("recorded_time"),
        _instant("due_time", nullable=True),
        _instant("acknowledged_time", nullable=True),
        sa.UniqueConstraint("organisation", "number"),
        sa.ForeignKeyConstraint(["notice_id"], [f"{S}.notice.notice_id"]),
        sa.PrimaryKeyConstraint("notice_id", "organisation", "revision"),
        schema=S,
    )


def _months() -> None:
    op.create_table(
        "detention_count",
        _words("detention_id"),
        _words("suite_id"),
        _day("disposal_date"),
        _small("test_result", comment="ppo.custody.v1.TestResult; 0 for no test"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("detention_id"),
        schema=S,
    )
    op.create_index("detention_count_disposal_date_idx", "detention_count", ["disposal_date"], schema=S)
    op.create_table(
        "closing",
        _words("closing_id"),
        _words("caller"),
        _words("request_id"),
        _words("area"),
        _day("month", comment="Its first day"),
        _instant("cut_off_time"),
        _bytes("counts", comment="A line each: measure, breakdown, category, value"),
        _words("return_id", comment="None until the returns have it", nullable=True),
        _number("revision", nullable=True),
        sa.PrimaryKeyConstraint("closing_id"),
        sa.UniqueConstraint("caller", "request_id"),
        schema=S,
    )


def _events() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _words("topic"),
        _words("key", comment="The person, as this topic knows one"),
        _small("shard"),
        _big("sequence", comment="Per topic and key, from 1, without a gap"),
        _words("event_id"),
        _words("event_type", comment="Full name of the message"),
        _instant("event_time"),
        _number("partition", comment="-1: by the key"),
        _bytes("payload"),
        _instant("sent_time", comment="When the broker had it; system clock", nullable=True),
        sa.UniqueConstraint("topic", "key", "sequence"),
        sa.UniqueConstraint("topic", "event_id"),
        sa.PrimaryKeyConstraint("id"),
        schema=S,
    )
    op.create_index(
        "outbox_unsent", "outbox", ["shard", "id"], schema=S, postgresql_where=sa.text("sent_time IS NULL")
    )
    op.create_table(
        "outbox_sequence",
        _words("topic"),
        _words("key"),
        _big("sequence"),
        sa.PrimaryKeyConstraint("topic", "key"),
        schema=S,
    )
    op.create_table(
        "broker_cluster",
        _small("only", comment="Always 1: there is one row"),
        _words("cluster_id", comment="The cluster that holds what is marked sent"),
        sa.PrimaryKeyConstraint("only"),
        schema=S,
    )
    op.create_table(
        "inbox",
        _words("consumer"),
        _words("event_id"),
        _instant("recorded_time", comment="System clock"),
        sa.PrimaryKeyConstraint("consumer", "event_id"),
        schema=S,
    )
    op.create_index("inbox_recorded_time_idx", "inbox", ["recorded_time"], schema=S)


def _work() -> None:
    op.create_table(
        "due",
        _words("kind"),
        _words("key", comment="The person or record, locked while it is done"),
        _instant("due_time"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
        schema=S,
    )
    op.create_index("due_due_time_idx", "due", ["due_time"], schema=S)
    op.create_table(
        "request",
        _words("caller"),
        _words("rpc"),
        _words("request_id"),
        _bytes("digest", comment="SHA-256 of the request"),
        _bytes("reply", comment="What was answered", nullable=True),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("caller", "rpc", "request_id"),
        schema=S,
    )


def _words(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _small(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), autoincrement=False, nullable=False, comment=comment)


def _number(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), autoincrement=False, nullable=nullable, comment=comment)


def _big(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False, comment=comment)


def _bytes(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable, comment=comment)


def _day(name: str, comment: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=False, comment=comment)


def _instant(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)
