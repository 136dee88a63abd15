"""Decisions, custody records, verdicts, drug tests, suites' events, and what carries events and due work."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

S = "custody"


def upgrade() -> None:
    _decisions()
    _detentions()
    _verdicts()
    _drug_tests()
    _suites()
    _outbox()
    _inbox()
    _due_and_requests()


def _decisions() -> None:
    op.create_table(
        "decision",
        _text("decision_id"),
        _text("detention_id", nullable=True, comment="None for a check alone"),
        _text("suite_id"),
        _text("asked_by"),
        _text("role"),
        _text("purpose"),
        _text("outcome"),
        _text("basis"),
        _text("identity_basis"),
        _text("unknown_reason"),
        sa.Column("register_version", sa.BigInteger(), nullable=False),
        _text("model_version"),
        sa.Column("threshold_bits", sa.Double(), nullable=False),
        sa.Column("fingerprint", sa.Boolean(), nullable=False),
        _instant("answered_time"),
        _bytes("answer", comment="ppo.custody.v1.Answer: candidates with their bits and evidence among it"),
        _bytes("input_digest", comment="Keyed digest of what was given"),
        sa.Column(
            "subjects",
            sa.ARRAY(sa.LargeBinary()),
            nullable=False,
            comment="Keyed digests by which another decision about this person is found",
        ),
        _bytes(
            "input",
            nullable=True,
            comment="What was given, encrypted; gone once the register has answered or they left",
        ),
        sa.PrimaryKeyConstraint("decision_id"),
        schema=S,
    )
    op.create_index("decision_detention_id", "decision", ["detention_id"], schema=S)
    op.create_index("decision_subjects", "decision", ["subjects"], schema=S, postgresql_using="gin")


def _detentions() -> None:
    op.create_table(
        "detention",
        _text("detention_id"),
        _text("suite_id"),
        _bytes("person", comment="ppo.person.v1.Person as given at the desk"),
        sa.Column(
            "fingerprints",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="Which of its identifiers were read off fingerprints",
        ),
        _instant("arrested_time"),
        _instant("booked_time"),
        _text("booked_by"),
        sa.Column("offence_codes", sa.ARRAY(sa.Text()), nullable=False),
        _text("decision_id", comment="The latest answer"),
        sa.Column(
            "candidates",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="Nominal ids that the latest answer names",
        ),
        _text("arrested_nominal", nullable=True, comment="Whose arrest was published and stands"),
        _text("disposal", nullable=True),
        _instant("disposed_time", nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"], [f"{S}.decision.decision_id"], name="detention_decision_id_fkey"
        ),
        sa.PrimaryKeyConstraint("detention_id"),
        schema=S,
    )
    op.create_index("detention_arrested_nominal", "detention", ["arrested_nominal"], schema=S)
    op.create_index("detention_candidates", "detention", ["candidates"], schema=S, postgresql_using="gin")
    op.create_index(
        "detention_open",
        "detention",
        ["suite_id"],
        schema=S,
        postgresql_where=sa.text("disposed_time IS NULL"),
    )


def _verdicts() -> None:
    op.create_table(
        "verdict",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _text("detention_id"),
        _text("nominal_id"),
        sa.Column("same_person", sa.Boolean(), nullable=False),
        sa.Column(
            "fingerprint",
            sa.Boolean(),
            nullable=False,
            comment="It rests on fingerprints, else on an identifier",
        ),
        _text("decided_by"),
        _instant("recorded_time"),
        sa.ForeignKeyConstraint(
            ["detention_id"], [f"{S}.detention.detention_id"], name="verdict_detention_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id"),
        schema=S,
    )
    op.create_index("verdict_detention_id", "verdict", ["detention_id"], schema=S)


def _drug_tests() -> None:
    op.create_table(
        "drug_test",
        _text("test_id"),
        _text("detention_id"),
        _text("suite_id"),
        _text("result"),
        _text("drug"),
        _instant("tested_time"),
        _text("tested_by"),
        _instant("recorded_time"),
        _text("route"),
        _instant("referred_time", comment="When it came to this route"),
        sa.Column(
            "status_not_known",
            sa.Boolean(),
            nullable=False,
            comment="The person left while it was held",
        ),
        sa.ForeignKeyConstraint(
            ["detention_id"], [f"{S}.detention.detention_id"], name="drug_test_detention_id_fkey"
        ),
        sa.PrimaryKeyConstraint("test_id"),
        sa.UniqueConstraint("detention_id", name="drug_test_detention_id_key"),
        schema=S,
    )
    op.create_index("drug_test_route", "drug_test", ["route", "referred_time"], schema=S)
    op.create_index(
        "drug_test_left_unknown",
        "drug_test",
        ["detention_id"],
        schema=S,
        postgresql_where=sa.text("status_not_known"),
    )


def _suites() -> None:
    op.create_table(
        "suite",
        _text("suite_id"),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("suite_id"),
        schema=S,
    )
    op.create_table(
        "suite_event",
        _text("suite_id"),
        sa.Column("number", sa.BigInteger(), nullable=False),
        _text("kind"),
        _instant("recorded_time"),
        _bytes("detention", comment="ppo.custody.v1.Detention as it stood after the event"),
        _text("earlier_outcome"),
        sa.PrimaryKeyConstraint("suite_id", "number"),
        schema=S,
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _text("topic"),
        _text("key", comment="The person, as this topic knows one"),
        sa.Column("shard", sa.SmallInteger(), nullable=False),
        sa.Column(
            "sequence", sa.BigInteger(), nullable=False, comment="Per topic and key, from 1, without a gap"
        ),
        _text("event_id"),
        _text("event_type", comment="Full name of the message"),
        _instant("event_time"),
        sa.Column("partition", sa.Integer(), nullable=False, comment="-1: by the key"),
        _bytes("payload"),
        _instant("sent_time", nullable=True, comment="When the broker had it; system clock"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topic", "event_id", name="outbox_topic_event_id_key"),
        sa.UniqueConstraint("topic", "key", "sequence", name="outbox_topic_key_sequence_key"),
        schema=S,
    )
    op.create_index(
        "outbox_unsent", "outbox", ["shard", "id"], schema=S, postgresql_where=sa.text("sent_time IS NULL")
    )
    op.create_table(
        "outbox_sequence",
        _text("topic"),
        _text("key"),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "key"),
        schema=S,
    )
    op.create_table(
        "broker_cluster",
        sa.Column("only", sa.SmallInteger(), nullable=False, comment="Always 1: there is one row"),
        _text("cluster_id", comment="The cluster that holds what is marked sent"),
        sa.PrimaryKeyConstraint("only"),
        schema=S,
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        _text("consumer"),
        _text("event_id"),
        _instant("recorded_time", comment="System clock"),
        sa.PrimaryKeyConstraint("consumer", "event_id"),
        schema=S,
    )
    op.create_index("inbox_recorded_time", "inbox", ["recorded_time"], schema=S)


def _due_and_requests() -> None:
    op.create_table(
        "due",
        _text("kind"),
        _text("key", comment="The person or record, locked while it is done"),
        _instant("due_time"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("kind", "key"),
        schema=S,
    )
    op.create_index("due_due_time", "due", ["due_time"], schema=S)
    op.create_table(
        "request",
        _text("caller"),
        _text("rpc"),
        _text("request_id"),
        _bytes("digest", comment="SHA-256 of the request"),
        _bytes("reply", nullable=True, comment="What was answered"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("caller", "rpc", "request_id"),
        schema=S,
    )


def _text(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _bytes(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable, comment=comment)


def _instant(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{S}.{target}.{column}"], name=f"{table}_{column}_fkey")
