"""The tables of the nominal index, the register and the flags; what a row says stands beside it."""

from datetime import datetime
from typing import Annotated, Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ppo.flagging.v1 import events_pb2, roll_pb2
from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import fields, timeline
from services.flagging.register import LIVE, MERGED, REMOVED, Standing
from services.flagging.timeline import Particulars, Step, Timeline
from services.runtime.consumer import Inbox
from services.runtime.database import instant
from services.runtime.due import Due
from services.runtime.outbox import Outbox
from services.runtime.requests import Requests

SCHEMA = "flagging"

key = Annotated[str, mapped_column(Uuid(as_uuid=False))]
maybe_key = Annotated[str | None, mapped_column(Uuid(as_uuid=False))]
small = Annotated[int, mapped_column(SmallInteger)]
maybe_small = Annotated[int | None, mapped_column(SmallInteger)]
big = Annotated[int, mapped_column(BigInteger)]
later_instant = Annotated[datetime | None, mapped_column(DateTime(timezone=True))]
number = Annotated[int, mapped_column(server_default=text("0"))]
messages = Annotated[list[dict[str, Any]], mapped_column(JSONB)]


class Base(DeclarativeBase):
    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s",
        },
    )


outbox = Outbox(Base.metadata, "/ppo/flagging")
inbox = Inbox(Base.metadata)
due = Due(Base.metadata)
requests = Requests(Base.metadata)


class Nominal(Base):
    """A person known to the police."""

    __tablename__ = "nominal"
    __table_args__ = (UniqueConstraint("source", "source_reference"),)

    nominal_id: Mapped[key] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(Text, comment="The system the row came from")
    source_reference: Mapped[str] = mapped_column(Text, comment="Its key in that system")
    person: Mapped[bytes] = mapped_column(comment="ppo.person.v1.Person with canonical identifiers")
    version: Mapped[big] = mapped_column(unique=True, comment="Of the index, at the last change")
    recorded_time: Mapped[instant] = mapped_column(comment="When it was recorded as it stands")

    def to_proto(self) -> pb.Nominal:
        return pb.Nominal(
            nominal_id=self.nominal_id,
            person=person_pb2.Person.FromString(self.person),
            source=self.source,
            recorded_time=fields.stamp(self.recorded_time),
        )


class NominalIndex(Base):
    """The index's version: one row, raised in the transaction of every change, by one for each nominal."""

    __tablename__ = "nominal_index"
    __table_args__ = (CheckConstraint("single = 1", name="is_one_row"),)

    single: Mapped[small] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[big]


class NominalIdentifier(Base):
    """An identifier belongs to one nominal."""

    __tablename__ = "nominal_identifier"

    kind: Mapped[small] = mapped_column(primary_key=True, comment="ppo.person.v1.IdentifierKind")
    value: Mapped[str] = mapped_column(Text, primary_key=True, comment="Canonical")
    # Of a nominal that there is, as a trigger asks of all that a statement adds.
    nominal_id: Mapped[key] = mapped_column(index=True)
    learnt: Mapped[bool] = mapped_column(
        server_default=text("false"),
        comment="A prison number that a merge brought: an import of the person's row leaves it",
    )


class NominalVersion(Base):
    """A person as the index had one before a change; the database writes it with the change."""

    __tablename__ = "nominal_version"

    nominal_id: Mapped[key] = mapped_column(ForeignKey(Nominal.nominal_id), primary_key=True)
    recorded_time: Mapped[instant] = mapped_column(primary_key=True, comment="From when on it stood so")
    superseded_time: Mapped[instant] = mapped_column(comment="Until when")
    person: Mapped[bytes] = mapped_column(comment="ppo.person.v1.Person as it stood")


class FormerHolder(Base):
    """Who once held an identifier, so that a reading of the past finds them; their versions say when."""

    __tablename__ = "former_holder"

    kind: Mapped[small] = mapped_column(primary_key=True, comment="ppo.person.v1.IdentifierKind")
    value: Mapped[str] = mapped_column(Text, primary_key=True, comment="Canonical")
    nominal_id: Mapped[key] = mapped_column(ForeignKey(Nominal.nominal_id), primary_key=True)


class NominalMerge(Base):
    """A nominal was found to be the same person as another; every row stays with its own nominal."""

    __tablename__ = "nominal_merge"
    __table_args__ = (
        CheckConstraint("nominal_id <> into_id", name="is_of_two"),
        CheckConstraint(
            "num_nonnulls(undone_time, undone_by, undone_reason) IN (0, 3)", name="is_undone_whole"
        ),
        Index("nominal_merge_live", "nominal_id", unique=True, postgresql_where=text("undone_time IS NULL")),
        Index("nominal_merge_living", "living_id", postgresql_where=text("undone_time IS NULL")),
    )

    merge_id: Mapped[key] = mapped_column(primary_key=True)
    nominal_id: Mapped[key] = mapped_column(ForeignKey(Nominal.nominal_id), index=True)
    into_id: Mapped[key] = mapped_column(ForeignKey(Nominal.nominal_id), comment="Into which it was merged")
    living_id: Mapped[key] = mapped_column(
        ForeignKey(Nominal.nominal_id), comment="Which lives on, through however many merges"
    )
    recorded_time: Mapped[instant]
    recorded_by: Mapped[str] = mapped_column(Text, comment="The caller's subject")
    reason: Mapped[str] = mapped_column(Text)
    undone_time: Mapped[later_instant] = mapped_column(comment="When it was taken back")
    undone_by: Mapped[str | None] = mapped_column(Text)
    undone_reason: Mapped[str | None] = mapped_column(Text)

    @property
    def stands(self) -> bool:
        return self.undone_time is None

    def to_proto(self) -> events_pb2.Merge:
        return events_pb2.Merge(
            into_nominal_id=self.into_id,
            merged_time=fields.stamp(self.recorded_time),
            unmerged_time=fields.stamp(self.undone_time),
        )


class NominalImport(Base):
    """How far an import of nominals has come that has not ended; a source has one at a time."""

    __tablename__ = "nominal_import"

    source: Mapped[str] = mapped_column(Text, primary_key=True)
    request_id: Mapped[str] = mapped_column(Text)
    last_line: Mapped[big] = mapped_column(default=0, comment="Up to this line of the file all is settled")
    created: Mapped[big] = mapped_column(default=0)
    updated: Mapped[big] = mapped_column(default=0)
    unchanged: Mapped[big] = mapped_column(default=0)
    refused: Mapped[big] = mapped_column(default=0)
    recorded_time: Mapped[instant] = mapped_column(comment="System clock")

    def to_proto(self) -> pb.LoadNominalsResponse:
        report = pb.ImportReport(
            created=self.created, updated=self.updated, unchanged=self.unchanged, refused=self.refused
        )
        return pb.LoadNominalsResponse(last_line=self.last_line, report=report)


class NominalRefusal(Base):
    """A row that an import which has not ended has refused; never its content."""

    __tablename__ = "nominal_refusal"

    source: Mapped[str] = mapped_column(
        ForeignKey(NominalImport.source, ondelete="CASCADE"), primary_key=True
    )
    line: Mapped[big] = mapped_column(primary_key=True, autoincrement=False)
    field: Mapped[str] = mapped_column(Text)
    rule: Mapped[str] = mapped_column(Text)

    def to_proto(self) -> pb.RowRefusal:
        return pb.RowRefusal(line=self.line, field=self.field, rule=self.rule)


class Registration(Base):
    """One episode on the register, as it stands after its last step."""

    __tablename__ = "registration"
    __table_args__ = (
        UniqueConstraint("source", "source_reference"),
        CheckConstraint("effective_end_time > effective_start_time", name="ends_after_it_starts"),
        CheckConstraint("(effective_end_time IS NULL) = (removal_reason = 0)", name="ends_for_a_reason"),
        CheckConstraint(
            "num_nonnulls(merged_time, merged_state, yields_to) ="
            f" CASE state WHEN {int(MERGED)} THEN 3 ELSE 0 END",
            name="merged_whole",
        ),
        Index(
            "registration_live",
            text("coalesce(living_id, nominal_id)"),
            unique=True,
            postgresql_where=text(f"state IN ({', '.join(str(int(state)) for state in sorted(LIVE))})"),
        ),
    )

    registration_id: Mapped[key] = mapped_column(primary_key=True)
    nominal_id: Mapped[key] = mapped_column(ForeignKey(Nominal.nominal_id), index=True)
    state: Mapped[small] = mapped_column(
        comment="ppo.flagging.v1.RegistrationState; a planned end shows once it has come"
    )
    strand: Mapped[small] = mapped_column(comment="ppo.person.v1.Strand")
    criteria: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), comment="ppo.flagging.v1.Criterion")
    nominating_ocu: Mapped[str] = mapped_column(Text)
    effective_start_time: Mapped[later_instant] = mapped_column(comment="From when on the person is a PPO")
    effective_end_time: Mapped[later_instant] = mapped_column(comment="Until when; may lie ahead")
    removal_reason: Mapped[small] = mapped_column(comment="ppo.flagging.v1.RemovalReason; 0 while it stands")
    living_id: Mapped[maybe_key] = mapped_column(
        ForeignKey(Nominal.nominal_id), comment="The nominal that lives on, where merged"
    )
    merged_time: Mapped[later_instant] = mapped_column(comment="When it ended by a merge")
    merged_state: Mapped[maybe_small] = mapped_column(comment="What it is again once that is taken back")
    yields_to: Mapped[maybe_key] = mapped_column(
        ForeignKey("registration.registration_id"), comment="The earlier registration of the same person"
    )
    provenance: Mapped[small] = mapped_column(comment="ppo.flagging.v1.Provenance")
    source: Mapped[str | None] = mapped_column(Text, comment="The running register that an import came from")
    source_reference: Mapped[str | None] = mapped_column(Text, comment="Its key there")
    version: Mapped[big] = mapped_column(default=0, comment="Of the register, at the last change")
    opened_time: Mapped[instant] = mapped_column(comment="When it was first recorded")
    recorded_time: Mapped[instant] = mapped_column(comment="When its start or end was recorded as it stands")

    steps: Mapped[list["RegistrationStep"]] = relationship(
        order_by="RegistrationStep.number", lazy="raise", passive_deletes="all"
    )

    @property
    def standing(self) -> Standing:
        return Standing(
            pb.RegistrationState.ValueType(self.state),
            self.effective_start_time,
            self.effective_end_time,
            pb.RemovalReason.ValueType(self.removal_reason),
            self.merged_time,
            pb.RegistrationState.ValueType(self.merged_state or 0),
        )

    @property
    def began(self) -> datetime:
        """For the order of a person's registrations."""
        return self.effective_start_time or self.opened_time

    @property
    def person_id(self) -> str:
        """The nominal that the person lives on as."""
        return self.living_id or self.nominal_id

    def stand(self, standing: Standing, now: datetime) -> None:
        if (standing.start, standing.end) != (self.effective_start_time, self.effective_end_time):
            self.recorded_time = now
        self.state = standing.state
        self.effective_start_time = standing.start
        self.effective_end_time = standing.end
        self.removal_reason = standing.removal_reason
        self.merged_time = standing.merged
        self.merged_state = standing.merged_state or None
        if standing.merged is None:
            self.yields_to = None

    @property
    def particulars(self) -> Particulars:
        return Particulars(self.strand, tuple(self.criteria), self.nominating_ocu)

    def known(self, at: datetime | None = None) -> Timeline | None:
        return timeline.known((step.told for step in self.steps), at)

    def to_proto(self, at: datetime, known: Timeline | None = None) -> pb.Registration:
        """As of an instant, and as far as it is known, which is all of it where nothing else is said."""
        told = known or Timeline(tuple(step.told for step in self.steps))
        standing = told.standing
        strand, criteria, ocu = told.particulars or self.particulars
        return pb.Registration(
            registration_id=self.registration_id,
            nominal_id=self.person_id,
            state=told.state(at) or pb.REGISTRATION_STATE_UNSPECIFIED,
            strand=screening_pb2.Strand.ValueType(strand),
            criteria=[pb.Criterion.ValueType(one) for one in criteria],
            nominating_ocu=ocu,
            effective_start_time=fields.stamp(standing.start),
            effective_end_time=fields.stamp(standing.end),
            removal_reason=standing.removal_reason,
            provenance=pb.Provenance.ValueType(self.provenance),
            version=self.version if len(told.steps) == len(self.steps) else 0,
            merged_time=fields.stamp(standing.merged),
        )

    def to_episode(self) -> events_pb2.Episode:
        return events_pb2.Episode(
            registration_id=self.registration_id,
            strand=screening_pb2.Strand.ValueType(self.strand),
            nominating_ocu=self.nominating_ocu,
            effective_start_time=fields.stamp(self.effective_start_time),
            effective_end_time=fields.stamp(self.standing.until),
            recorded_time=fields.stamp(self.recorded_time),
            # Whom a merge took off, nobody removed.
            removal_reason=pb.RemovalReason.ValueType(0 if self.merged_time else self.removal_reason),
            nominal_id=self.nominal_id if self.living_id else "",
            merged=self.merged_time is not None,
        )


class RegistrationStep(Base):
    """One step in the life of a registration. Steps are only ever added; the database sees to that."""

    __tablename__ = "registration_step"

    registration_id: Mapped[key] = mapped_column(ForeignKey(Registration.registration_id), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="From 1, as recorded")
    state: Mapped[small] = mapped_column(comment="ppo.flagging.v1.RegistrationState")
    effective_time: Mapped[instant] = mapped_column(comment="From when on it is so; may lie ahead")
    recorded_time: Mapped[instant]
    recorded_by: Mapped[str] = mapped_column(Text, comment="The caller's subject")
    provenance: Mapped[small] = mapped_column(comment="ppo.flagging.v1.Provenance")
    forum_id: Mapped[str] = mapped_column(Text, default="")
    doubtful: Mapped[bool] = mapped_column(default=False, comment="Police and probation had to agree")
    votes: Mapped[messages] = mapped_column(default=list, comment="ppo.flagging.v1.Vote, every agency's")
    evidence: Mapped[messages] = mapped_column(default=list, comment="ppo.flagging.v1.GradedEvidence")
    reason: Mapped[str] = mapped_column(Text, default="")
    exit_plan: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="ppo.flagging.v1.ExitPlan"
    )
    persistence: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="ppo.flagging.v1.Persistence"
    )
    strand: Mapped[small | None] = mapped_column(
        comment="With criteria and OCU, where the step says them anew"
    )
    criteria: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))
    nominating_ocu: Mapped[str | None] = mapped_column(Text)

    def say(self, particulars: Particulars) -> None:
        self.strand, self.nominating_ocu = particulars.strand, particulars.nominating_ocu
        self.criteria = list(particulars.criteria)

    @property
    def told(self) -> Step:
        return Step(
            pb.RegistrationState.ValueType(self.state),
            self.effective_time,
            self.recorded_time,
            pb.RemovalReason.Value(self.reason) if self.state == REMOVED else pb.REMOVAL_REASON_UNSPECIFIED,
            self._particulars,
        )

    @property
    def _particulars(self) -> Particulars | None:
        if self.strand is None or self.criteria is None or self.nominating_ocu is None:
            return None
        return Particulars(self.strand, tuple(self.criteria), self.nominating_ocu)

    def to_proto(self) -> pb.RegistrationStep:
        return pb.RegistrationStep(
            state=pb.RegistrationState.ValueType(self.state),
            effective_time=fields.stamp(self.effective_time),
            recorded_time=fields.stamp(self.recorded_time),
            recorded_by=self.recorded_by,
            forum_id=self.forum_id,
            votes=[ParseDict(one, pb.Vote()) for one in self.votes],
            evidence=[ParseDict(one, pb.GradedEvidence()) for one in self.evidence],
            reason=self.reason,
            exit_plan=None if self.exit_plan is None else ParseDict(self.exit_plan, pb.ExitPlan()),
            persistence=None if self.persistence is None else ParseDict(self.persistence, pb.Persistence()),
        )


def readable(message: Message) -> dict[str, Any]:
    """A message as it is kept in a column that an auditor reads."""
    return MessageToDict(message, preserving_proto_field_name=True)


class Register(Base):
    """The register's version: one row, raised in the transaction of every change."""

    __tablename__ = "register"
    __table_args__ = (CheckConstraint("single = 1", name="is_one_row"),)

    single: Mapped[small] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[big]
    epoch: Mapped[key] = mapped_column(comment="Another one is another register, such as a restored backup")


class Flag(Base):
    """The state of a person who ever was on the register, as published."""

    __tablename__ = "flag"

    nominal_id: Mapped[key] = mapped_column(ForeignKey(Nominal.nominal_id), primary_key=True)
    version: Mapped[big] = mapped_column(unique=True, comment="Of the register, which made this state")
    state: Mapped[small] = mapped_column(comment="ppo.person.v1.FlagState")
    flag: Mapped[bytes] = mapped_column(comment="ppo.flagging.v1.Flag")


class Roll(Base):
    """That a prison asked about its prisoners, and how many were what; never who."""

    __tablename__ = "roll"

    roll_id: Mapped[key] = mapped_column(primary_key=True)
    prison: Mapped[str] = mapped_column(Text, comment="The caller's organisation")
    asked_by: Mapped[str] = mapped_column(Text, comment="The caller's subject")
    asked_time: Mapped[instant]
    purpose: Mapped[small] = mapped_column(comment="ppo.policy.v1.Purpose")
    register_version: Mapped[big] = mapped_column(
        server_default=text("0"), comment="Of the last answer given"
    )
    lines: Mapped[number]
    refused: Mapped[number]
    flagged: Mapped[number]
    possible: Mapped[number]
    not_flagged: Mapped[number]
    unknown: Mapped[number]
    linked: Mapped[number]


class PrisonDeath(Base):
    """A movement that told of a death of somebody registered, so that a reversal finds what it ended."""

    __tablename__ = "prison_death"
    __table_args__ = (
        CheckConstraint("num_nonnulls(died_time, undone_time) > 0", name="was_told_or_taken_back"),
    )

    movement_id: Mapped[str] = mapped_column(Text, primary_key=True)
    prison_number: Mapped[str] = mapped_column(Text)
    registration_id: Mapped[maybe_key] = mapped_column(
        ForeignKey(Registration.registration_id), index=True, comment="That had ended by the death"
    )
    died_time: Mapped[later_instant] = mapped_column(comment="Empty: the reversal came first")
    recorded_time: Mapped[instant]
    undone_time: Mapped[later_instant] = mapped_column(comment="When it was taken back")


class PrisonMatch(Base):
    """A prisoner who may be a PPO, until somebody says so, a later roll is sure, or it lapses."""

    __tablename__ = "prison_match"

    prison_number: Mapped[str] = mapped_column(Text, primary_key=True)
    person: Mapped[bytes] = mapped_column(
        comment="ppo.person.v1.Person as the roll has it; gone when this is resolved or lapses"
    )
    candidates: Mapped[list[str]] = mapped_column(
        ARRAY(Uuid(as_uuid=False)), comment="Who it may be: their nominal ids, best first"
    )
    asked_time: Mapped[instant] = mapped_column(index=True, comment="First")
    lapse_time: Mapped[instant]

    def to_proto(self) -> roll_pb2.PrisonMatch:
        """Who the candidates are is added by the caller."""
        return roll_pb2.PrisonMatch(
            prison_number=self.prison_number,
            person=person_pb2.Person.FromString(self.person),
            asked_time=fields.stamp(self.asked_time),
            lapse_time=fields.stamp(self.lapse_time),
        )


class PrisonRuling(Base):
    """What the keeper of the register said of a prison number. Rulings are only ever added."""

    __tablename__ = "prison_ruling"
    __table_args__ = (
        CheckConstraint("(nominal_id IS NULL) = (cardinality(ruled_out) > 0)", name="says_one_thing"),
    )

    ruling_id: Mapped[key] = mapped_column(primary_key=True)
    prison_number: Mapped[str] = mapped_column(Text, index=True)
    nominal_id: Mapped[str | None] = mapped_column(
        Uuid(as_uuid=False),
        ForeignKey(Nominal.nominal_id),
        comment="Whose it is; empty: none of those ruled out",
    )
    ruled_out: Mapped[list[str]] = mapped_column(ARRAY(Uuid(as_uuid=False)))
    reason: Mapped[str] = mapped_column(Text)
    recorded_by: Mapped[str] = mapped_column(Text, comment="The caller's subject")
    recorded_time: Mapped[instant]
