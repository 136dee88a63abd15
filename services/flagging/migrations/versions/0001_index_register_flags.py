"""The nominal index, the register with its steps, the flags; and events, requests and due work."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

S = "flagging"


def upgrade() -> None:
    _nominals()
    _register()
    _registrations()
    _steps()
    _flags()
    _outbox()
    _due_and_requests()


def _nominals() -> None:
    op.create_table(
        "nominal",
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="The system the row came from"),
        sa.Column("source_reference", sa.Text(), nullable=False, comment="Its key in that system"),
        sa.Column(
            "person",
            sa.LargeBinary(),
            nullable=False,
            comment="ppo.person.v1.Person with canonical identifiers",
        ),
        sa.Column("born", sa.Integer(), comment="YYYYMMDD; empty unless all of it is known"),
        sa.Column(
            "cues",
            sa.ARRAY(sa.Text()),
            nullable=False,
            comment="Year of birth with each way to find a family name",
        ),
        _instant("recorded_time", comment="When it was recorded as it stands"),
        sa.PrimaryKeyConstraint("nominal_id"),
        sa.UniqueConstraint("source", "source_reference"),
        schema=S,
    )
    op.create_index("nominal_born_idx", "nominal", ["born"], schema=S)
    op.create_index("nominal_cues_idx", "nominal", ["cues"], schema=S, postgresql_using="gin")
    op.create_table(
        "nominal_identifier",
        sa.Column("kind", sa.SmallInteger(), nullable=False, comment="ppo.person.v1.IdentifierKind"),
        sa.Column("value", sa.Text(), nullable=False, comment="Canonical"),
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.nominal.nominal_id"]),
        sa.PrimaryKeyConstraint("kind", "value"),
        schema=S,
    )
    op.create_index("nominal_identifier_nominal_id_idx", "nominal_identifier", ["nominal_id"], schema=S)


def _register() -> None:
    register = op.create_table(
        "register",
        sa.Column("single", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "epoch",
            sa.Uuid(),
            nullable=False,
            comment="Another one is another register, such as a restored backup",
        ),
        sa.CheckConstraint("single = 1", name="is_one_row"),
        sa.PrimaryKeyConstraint("single"),
        schema=S,
    )
    op.execute(sa.insert(register).values(single=1, version=0, epoch=sa.func.gen_random_uuid()))


def _registrations() -> None:
    op.create_table(
        "registration",
        sa.Column("registration_id", sa.Uuid(), nullable=False),
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        _small("state", comment="ppo.flagging.v1.RegistrationState; a planned end shows once it has come"),
        _small("strand", comment="ppo.person.v1.Strand"),
        sa.Column(
            "criteria", sa.ARRAY(sa.SmallInteger()), nullable=False, comment="ppo.flagging.v1.Criterion"
        ),
        sa.Column("nominating_ocu", sa.Text(), nullable=False),
        _instant("effective_start_time", nullable=True, comment="From when on the person is a PPO"),
        _instant("effective_end_time", nullable=True, comment="Until when; may lie ahead"),
        _small("removal_reason", comment="ppo.flagging.v1.RemovalReason; 0 while it stands"),
        _small("provenance", comment="ppo.flagging.v1.Provenance"),
        sa.Column("source", sa.Text(), comment="The running register that an import came from"),
        sa.Column("source_reference", sa.Text(), comment="Its key there"),
        sa.Column("version", sa.BigInteger(), nullable=False, comment="Of the register, at the last change"),
        _instant("opened_time", comment="When it was first recorded"),
        _instant("recorded_time", comment="When its start or end was recorded as it stands"),
        sa.CheckConstraint("effective_end_time > effective_start_time", name="ends_after_it_starts"),
        sa.CheckConstraint("(effective_end_time IS NULL) = (removal_reason = 0)", name="ends_for_a_reason"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.nominal.nominal_id"]),
        sa.PrimaryKeyConstraint("registration_id"),
        sa.UniqueConstraint("source", "source_reference"),
        schema=S,
    )
    op.create_index("registration_nominal_id_idx", "registration", ["nominal_id"], schema=S)
    op.create_index(
        "registration_live",
        "registration",
        ["nominal_id"],
        unique=True,
        schema=S,
        postgresql_where=sa.text("state IN (1, 2, 3, 5)"),
    )


def _steps() -> None:
    op.create_table(
        "registration_step",
        sa.Column("registration_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="From 1, as recorded"),
        _small("state", comment="ppo.flagging.v1.RegistrationState"),
        _instant("effective_time", comment="From when on it is so; may lie ahead"),
        _instant("recorded_time"),
        sa.Column("recorded_by", sa.Text(), nullable=False, comment="The caller's subject"),
        _small("provenance", comment="ppo.flagging.v1.Provenance"),
        sa.Column("forum_id", sa.Text(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False, comment="Police and probation had to agree"),
        sa.Column("votes", JSONB(), nullable=False, comment="ppo.flagging.v1.Vote, every agency's"),
        sa.Column("evidence", JSONB(), nullable=False, comment="ppo.flagging.v1.GradedEvidence"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("exit_plan", JSONB(), comment="ppo.flagging.v1.ExitPlan"),
        sa.ForeignKeyConstraint(["registration_id"], [f"{S}.registration.registration_id"]),
        sa.PrimaryKeyConstraint("registration_id", "number"),
        schema=S,
    )
    op.execute(
        f"""
        CREATE FUNCTION {S}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '%: rows are only ever added', TG_TABLE_NAME;
        END $$;
        CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON {S}.registration_step
            FOR EACH ROW EXECUTE FUNCTION {S}.refuse_change();
        """
    )


def _flags() -> None:
    op.create_table(
        "flag",
        sa.Column("nominal_id", sa.Uuid(), nullable=False),
        sa.Column(
            "version", sa.BigInteger(), nullable=False, comment="Of the register, which made this state"
        ),
        _small("state", comment="ppo.person.v1.FlagState"),
        sa.Column("flag", sa.LargeBinary(), nullable=False, comment="ppo.flagging.v1.Flag"),
        sa.ForeignKeyConstraint(["nominal_id"], [f"{S}.nominal.nominal_id"]),
        sa.PrimaryKeyConstraint("nominal_id"),
        sa.UniqueConstraint("version"),
        schema=S,
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="The person, as this topic knows one"),
        _small("shard"),
        sa.Column(
            "sequence", sa.BigInteger(), nullable=False, comment="Per topic and key, from 1, without a gap"
        ),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False, comment="Full name of the message"),
        _instant("event_time"),
        sa.Column("partition", sa.Integer(), nullable=False, comment="-1: by the key"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _instant("sent_time", nullable=True, comment="When the broker had it; system clock"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topic", "event_id"),
        sa.UniqueConstraint("topic", "key", "sequence"),
        schema=S,
    )
    op.create_index(
        "outbox_unsent", "outbox", ["shard", "id"], schema=S, postgresql_where=sa.text("sent_time IS NULL")
    )
    op.create_table(
        "outbox_sequence",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "key"),
        schema=S,
    )
    op.create_table(
        "broker_cluster",
        _small("only", comment="Always 1: there is one row"),
        sa.Column(
            "cluster_id", sa.Text(), nullable=False, comment="The cluster that holds what is marked sent"
        ),
        sa.PrimaryKeyConstraint("only"),
        schema=S,
    )


def _due_and_requests() -> None:
    op.create_table(
        "due",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False, comment="The person or record, locked while it is done"),
        _instant("due_time"),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
        schema=S,
    )
    op.create_index("due_due_time_idx", "due", ["due_time"], schema=S)
    op.create_table(
        "request",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("rpc", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the request"),
        sa.Column("reply", sa.LargeBinary(), comment="What was answered"),
        _instant("recorded_time"),
        sa.PrimaryKeyConstraint("caller", "rpc", "request_id"),
        schema=S,
    )


def _small(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.SmallInteger(), nullable=False, comment=comment, autoincrement=False)


def _instant(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)
