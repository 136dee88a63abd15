"""The tables of tracking: persons, facts, what is derived of them, notices; a row's to_proto beside it."""

from datetime import date, datetime
from typing import Annotated

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date as CalendarDate
from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2
from services.runtime.consumer import Inbox
from services.runtime.database import instant
from services.runtime.due import Due
from services.runtime.outbox import Outbox
from services.runtime.requests import Requests
from services.tracking.corrections import Period

SCHEMA = "tracking"
NOTICES, CASEWORK = "ppo.notices.", "casework."

words = Annotated[str, mapped_column(Text)]
maybe_words = Annotated[str | None, mapped_column(Text)]
maybe_small = Annotated[int | None, mapped_column(SmallInteger)]
small = Annotated[int, mapped_column(SmallInteger)]
big = Annotated[int, mapped_column(BigInteger)]
maybe_big = Annotated[int | None, mapped_column(BigInteger)]
maybe_instant = Annotated[datetime | None, mapped_column(DateTime(timezone=True))]
day = Annotated[date, mapped_column(Date)]
maybe_day = Annotated[date | None, mapped_column(Date)]
content = Annotated[bytes, mapped_column(LargeBinary)]


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


# What providers get says nothing of the scheme, nor does where it comes from.
outbox = Outbox(Base.metadata, "/ppo/tracking", {CASEWORK: "/casework"})
inbox = Inbox(Base.metadata)
due = Due(Base.metadata)
requests = Requests(Base.metadata)


class Person(Base):
    """Somebody who ever was on the register, as the flags topic has them, and their case as published."""

    __tablename__ = "person"

    nominal_id: Mapped[words] = mapped_column(primary_key=True)
    flag: Mapped[content] = mapped_column(comment="ppo.flagging.v1.Flag, the highest version seen")
    flag_version: Mapped[big]
    merged_into: Mapped[maybe_words] = mapped_column(index=True, comment="The nominal that lives on")
    case_reference: Mapped[words] = mapped_column(
        unique=True, comment="Random: all that a provider knows the person by"
    )
    known_time: Mapped[maybe_instant] = mapped_column(
        comment="When the first flag came; None for somebody known before this was kept"
    )
    case_version: Mapped[big] = mapped_column(default=0)
    case: Mapped[content] = mapped_column(
        default=b"", comment="ppo.tracking.v1.Case as published, without version and time"
    )
    sex: Mapped[small] = mapped_column(server_default=text("0"), comment="ppo.person.v1.Sex, as in the flag")
    ethnicity_code: Mapped[words] = mapped_column(
        server_default=text("''"), comment="As in the flag; empty where it is not recorded"
    )
    born_first: Mapped[maybe_day] = mapped_column(
        comment="The earliest day that the date of birth may mean; none where the year is not known"
    )
    born_last: Mapped[maybe_day] = mapped_column(comment="The latest such day")

    def to_flag(self) -> flagging.Flag:
        return flagging.Flag.FromString(self.flag)

    def to_proto(self, now: datetime) -> tracking_pb2.Case:
        case = tracking_pb2.Case.FromString(self.case)
        case.nominal_id, case.version = self.nominal_id, self.case_version
        case.recorded_time.FromDatetime(now)
        return case


class Episode(Base):
    """A stretch of time on the register, as the flag has it: what a month's counts begin with."""

    __tablename__ = "episode"

    registration_id: Mapped[words] = mapped_column(primary_key=True)
    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id), index=True)
    strand: Mapped[small] = mapped_column(comment="ppo.person.v1.Strand")
    nominating_ocu: Mapped[words] = mapped_column(index=True)
    start_time: Mapped[instant]
    end_time: Mapped[maybe_instant]
    removal_reason: Mapped[small] = mapped_column(
        server_default=text("0"), comment="ppo.flagging.v1.RemovalReason; 0 while it stands or is not known"
    )
    registered_id: Mapped[maybe_words] = mapped_column(
        comment="The nominal that was registered, where it lives on in this one"
    )
    merged: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="It ended because the person had an earlier one"
    )
    flag_version: Mapped[big] = mapped_column(server_default=text("0"), comment="Of the flag that said so")


class NominalMerge(Base):
    """From when until when a nominal lived on in another, as its flag has it."""

    __tablename__ = "nominal_merge"

    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id), primary_key=True)
    merged_time: Mapped[instant] = mapped_column(primary_key=True)
    into_id: Mapped[words]
    unmerged_time: Mapped[maybe_instant]


class Identifier(Base):
    """Whose identifier it is; a movement is of whoever has its prison number."""

    __tablename__ = "identifier"

    kind: Mapped[small] = mapped_column(primary_key=True, comment="ppo.person.v1.IdentifierKind")
    value: Mapped[words] = mapped_column(primary_key=True, comment="Canonical")
    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id), index=True)
    flag_version: Mapped[big] = mapped_column(comment="Of the flag that said so; 0 for a prison's merge")


class Parked(Base):
    """A movement of a number that nobody on the register is known by; a merge stands under both numbers."""

    __tablename__ = "parked"

    movement_id: Mapped[words] = mapped_column(primary_key=True)
    prison_number: Mapped[words] = mapped_column(primary_key=True, index=True)
    movement: Mapped[content] = mapped_column(comment="ppo.tracking.v1.Movement")
    recorded_time: Mapped[instant]


class Fact(Base):
    """What happened to a person; never changed, but that it may be found to be wrong."""

    __tablename__ = "fact"

    fact_id: Mapped[words] = mapped_column(primary_key=True)
    nominal_id: Mapped[maybe_words] = mapped_column(
        index=True, comment="None for a movement, which is its prison number's"
    )
    prison_number: Mapped[maybe_words] = mapped_column(index=True)
    message_type: Mapped[words] = mapped_column(comment="Full name of the message")
    message: Mapped[content]
    occurred_time: Mapped[instant]
    recorded_time: Mapped[instant]
    withdrawn_time: Mapped[maybe_instant] = mapped_column(comment="When it was found to be wrong")


class DrugTest(Base):
    """A drug test of a PPO, as the fact has it, for the counts of a month."""

    __tablename__ = "drug_test"

    fact_id: Mapped[words] = mapped_column(ForeignKey(Fact.fact_id), primary_key=True)
    detention_id: Mapped[words] = mapped_column(index=True)
    suite_id: Mapped[words]
    tested_time: Mapped[instant] = mapped_column(index=True)
    result: Mapped[small] = mapped_column(comment="ppo.custody.v1.TestResult")
    drug: Mapped[small] = mapped_column(comment="ppo.custody.v1.Drug")


class Progress(Base):
    """A step that is counted and moves nobody: an appointment, treatment, a sentence."""

    __tablename__ = "progress"
    __table_args__ = (Index("progress_person", "nominal_id", "kind", "done_date"),)

    progress_id: Mapped[words] = mapped_column(primary_key=True)
    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id))
    kind: Mapped[small] = mapped_column(comment="ppo.tracking.v1.ProgressKind")
    done_date: Mapped[day] = mapped_column(index=True)
    offence_date: Mapped[maybe_day] = mapped_column(comment="Of what was sentenced")
    organisation: Mapped[words] = mapped_column(comment="The agency or the court")
    recorded_time: Mapped[instant]
    recorded_by: Mapped[words]


class Stage(Base):
    """From when on a person is in a position of the justice process; derived of the facts."""

    __tablename__ = "stage"

    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id), primary_key=True)
    effective_time: Mapped[instant] = mapped_column(primary_key=True)
    position: Mapped[small] = mapped_column(comment="ppo.tracking.v1.Position")


class Ownership(Base):
    """From when on whose case it is. A row found to be wrong is superseded, not changed."""

    __tablename__ = "ownership"
    __table_args__ = (
        Index(
            "ownership_standing",
            "nominal_id",
            "effective_time",
            unique=True,
            postgresql_where=text("superseded_time IS NULL"),
        ),
        # OWNERSHIP_STATE_NONE.
        CheckConstraint("(owner = '') = (state = 5)", "owner_known"),
        Index("ownership_owner", "owner", "nominal_id"),
    )

    ownership_id: Mapped[big] = mapped_column(primary_key=True)
    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id), index=True)
    effective_time: Mapped[instant]
    owner: Mapped[words] = mapped_column(comment="Empty for nobody")
    rule: Mapped[words]
    state: Mapped[small] = mapped_column(comment="ppo.tracking.v1.OwnershipState")
    recorded_time: Mapped[instant]
    superseded_time: Mapped[maybe_instant]
    ownership: Mapped[content] = mapped_column(comment="ppo.tracking.v1.Ownership")
    home_ocu: Mapped[words] = mapped_column(
        server_default=text("''"),
        comment="Of a youth offending team's case the OCU of the home; else, or not known, empty",
    )

    def to_proto(self) -> tracking_pb2.Ownership:
        return tracking_pb2.Ownership.FromString(self.ownership)

    def to_period(self) -> Period:
        return Period(self.effective_time, self.to_proto(), self.recorded_time, self.superseded_time)


class Review(Base):
    """What somebody must look at: a fact that cannot be so, a case, a merge of two people's numbers."""

    __tablename__ = "review"

    subject: Mapped[words] = mapped_column(primary_key=True, comment="The fact, or the case")
    nominal_id: Mapped[words] = mapped_column(primary_key=True)
    kind: Mapped[words] = mapped_column(comment="fact, case, merge, transfer or recall")
    reason: Mapped[words]
    recorded_time: Mapped[instant]
    resolution: Mapped[maybe_small] = mapped_column(comment="ppo.tracking.v1.ReviewResolution")
    resolved_time: Mapped[maybe_instant]
    resolved_by: Mapped[maybe_words]
    note: Mapped[maybe_words] = mapped_column(comment="What was found")

    def to_proto(self) -> tracking_pb2.Review:
        return tracking_pb2.Review(
            subject=self.subject,
            nominal_id=self.nominal_id,
            kind=tracking_pb2.ReviewKind.Value(f"REVIEW_KIND_{self.kind.upper()}"),
            reason=self.reason,
            recorded_time=stamp(self.recorded_time),
            resolution=tracking_pb2.ReviewResolution.ValueType(self.resolution or 0),
            resolved_time=stamp(self.resolved_time),
            resolved_by=self.resolved_by or "",
            note=self.note or "",
        )


class Notice(Base):
    """What is to be told because something happened; the same through all its revisions."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("nominal_id", "type", "cause"),)

    notice_id: Mapped[words] = mapped_column(primary_key=True)
    nominal_id: Mapped[words] = mapped_column(ForeignKey(Person.nominal_id))
    type: Mapped[small] = mapped_column(comment="ppo.tracking.v1.NoticeType")
    cause: Mapped[words] = mapped_column(comment="The fact or registration that it tells of")
    prison: Mapped[words] = mapped_column(server_default=text("''"), comment="Where it happened; else empty")
    told: Mapped[words] = mapped_column(comment="What is told, as a text: another one is another revision")
    revision: Mapped[int]
    state: Mapped[small] = mapped_column(comment="ppo.tracking.v1.NoticeState")
    recorded_time: Mapped[instant]
    hold_time: Mapped[maybe_instant] = mapped_column(comment="When it is confirmed; None once it is")
    goes_on_as: Mapped[words] = mapped_column(
        server_default=text("''"),
        comment="The nominal that the person lives on as, as its recipients were told last",
    )


class Organisation(Base):
    """One that has been told something; its records are numbered under this row."""

    __tablename__ = "organisation"

    organisation: Mapped[words] = mapped_column(primary_key=True)
    last_number: Mapped[big]


class Delivery(Base):
    """One revision of a notice as it was sent to one organisation."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("organisation", "number"),
        CheckConstraint("register_date IS NULL OR acknowledged_time IS NOT NULL", "register_date_known"),
    )

    notice_id: Mapped[words] = mapped_column(ForeignKey(Notice.notice_id), primary_key=True)
    organisation: Mapped[words] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[big] = mapped_column(comment="Rises with every record sent to the organisation")
    role: Mapped[words] = mapped_column(comment="The audience that it was projected onto")
    topic: Mapped[words]
    key: Mapped[words]
    message_type: Mapped[words] = mapped_column(comment="Full name of the message")
    message: Mapped[content] = mapped_column(comment="As it was made, for a retraction; not as it was sent")
    record: Mapped[content] = mapped_column(comment="As it was sent")
    state: Mapped[small] = mapped_column(comment="ppo.tracking.v1.NoticeState")
    recorded_time: Mapped[instant]
    published_time: Mapped[maybe_instant] = mapped_column(
        comment="When Kafka had it, once the outbox knows it no longer; system clock"
    )
    due_time: Mapped[maybe_instant] = mapped_column(index=True)
    silent: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="It confirms what the organisation had already"
    )
    acknowledged_time: Mapped[maybe_instant]
    register_date: Mapped[maybe_day] = mapped_column(
        comment="Of entry on the housing register, as acknowledged"
    )

    def to_sent(self) -> tracking_pb2.SentNotice:
        return tracking_pb2.SentNotice(
            number=self.number, record=self.record, acknowledged_time=stamp(self.acknowledged_time)
        )

    @property
    def event(self) -> tuple[str, str]:
        """The topic and id of its record."""
        return self.topic, f"{self.notice_id}/{self.revision}"

    def to_proto(
        self, published: datetime | None = None, late: "Lateness | None" = None
    ) -> tracking_pb2.NoticeDelivery:
        return tracking_pb2.NoticeDelivery(
            published_time=stamp(published),
            overdue_time=stamp(late.due_time if late else None),
            escalation=tracking_pb2.EscalationLevel.ValueType(late.level if late else 0),
            organisation=self.organisation,
            revision=self.revision,
            state=tracking_pb2.NoticeState.ValueType(self.state),
            recorded_time=stamp(self.recorded_time),
            due_time=stamp(self.due_time),
            acknowledged_time=stamp(self.acknowledged_time),
            register_date=self.to_register_date(),
        )

    def to_register_date(self) -> CalendarDate | None:
        on = self.register_date
        return on and CalendarDate(year=on.year, month=on.month, day=on.day)


class AreaVersion(Base):
    """A load of the areas: which postcodes lie in which OCU. What it changed stands in AreaStart."""

    __tablename__ = "area_version"

    version: Mapped[big] = mapped_column(primary_key=True, autoincrement=False)
    recorded_time: Mapped[instant]
    loaded_by: Mapped[words] = mapped_column(comment="Subject and organisation of the caller")
    reason: Mapped[words]
    rows_added: Mapped[int]
    rows_withdrawn: Mapped[int]
    cases_touched: Mapped[int]

    def to_proto(self) -> tracking_pb2.AreaVersion:
        return tracking_pb2.AreaVersion(
            version=self.version,
            recorded_time=stamp(self.recorded_time),
            loaded_by=self.loaded_by,
            reason=self.reason,
            rows_added=self.rows_added,
            rows_withdrawn=self.rows_withdrawn,
            cases_touched=self.cases_touched,
        )


class AreaStart(Base):
    """From which day on a stretch of postcodes lies in which area, until its next start; never changed."""

    __tablename__ = "area_start"
    __table_args__ = (
        Index(
            "area_start_standing",
            "postcode",
            "premises",
            "effective_date",
            unique=True,
            postgresql_where=text("until_version IS NULL"),
        ),
    )

    postcode: Mapped[words] = mapped_column(
        primary_key=True, comment="A postcode, or the sector or district of several"
    )
    premises: Mapped[words] = mapped_column(primary_key=True, comment="With a postcode the house; else empty")
    effective_date: Mapped[day] = mapped_column(primary_key=True)
    since_version: Mapped[big] = mapped_column(
        ForeignKey(AreaVersion.version), primary_key=True, autoincrement=False
    )
    area: Mapped[words] = mapped_column(comment="Empty where no row says it from then on")
    until_version: Mapped[maybe_big] = mapped_column(
        ForeignKey(AreaVersion.version), comment="The first in which it stands no longer"
    )


class Address(Base):
    """Of whom an address was told, so that a boundary that moves finds its cases."""

    __tablename__ = "address"

    nominal_id: Mapped[words] = mapped_column(primary_key=True)
    postcode: Mapped[words] = mapped_column(primary_key=True)
    premises: Mapped[words] = mapped_column(primary_key=True, comment="Empty where none was told")


class Lateness(Base):
    """One organisation has not acknowledged a notice in time; another's row says nothing of it."""

    __tablename__ = "lateness"

    notice_id: Mapped[words] = mapped_column(ForeignKey(Notice.notice_id), primary_key=True)
    organisation: Mapped[words] = mapped_column(primary_key=True)
    due_time: Mapped[instant] = mapped_column(index=True)
    level: Mapped[small] = mapped_column(comment="ppo.tracking.v1.EscalationLevel")
    escalated_time: Mapped[instant] = mapped_column(comment="When it came to that level")
    settled_time: Mapped[maybe_instant] = mapped_column(comment="When it was acknowledged after all")


class LetterFate(Base):
    """What was done about a record that could not be taken, which stands in its dead-letter topic."""

    __tablename__ = "letter_fate"

    letter_id: Mapped[words] = mapped_column(primary_key=True, comment="Topic, partition and offset")
    fate: Mapped[small] = mapped_column(comment="ppo.tracking.v1.DeadLetterFate")
    reason: Mapped[words] = mapped_column(comment="Why it was discarded")
    caller: Mapped[words]
    recorded_time: Mapped[instant]


class DetentionCount(Base):
    """Somebody who is no PPO left a custody suite: a count without the person."""

    __tablename__ = "detention_count"

    detention_id: Mapped[words] = mapped_column(primary_key=True)
    suite_id: Mapped[words]
    disposal_date: Mapped[day] = mapped_column(index=True)
    test_result: Mapped[small] = mapped_column(comment="ppo.custody.v1.TestResult; 0 for no test")
    recorded_time: Mapped[instant]


class Closing(Base):
    """A month that is closed: what was counted, so that a repeat sends the same to the returns."""

    __tablename__ = "closing"

    closing_id: Mapped[words] = mapped_column(primary_key=True)
    caller: Mapped[words]
    request_id: Mapped[words]
    area: Mapped[words]
    month: Mapped[day] = mapped_column(comment="Its first day")
    cut_off_time: Mapped[instant]
    counts: Mapped[content] = mapped_column(comment="A line each: measure, breakdown, category, value")
    return_id: Mapped[maybe_words] = mapped_column(comment="None until the returns have it")
    revision: Mapped[int | None]
    reason: Mapped[words] = mapped_column(server_default=text("''"), comment="Why it was closed again")
    explanation: Mapped[words] = mapped_column(
        server_default=text("''"), comment="Of what does not follow from the month before"
    )
    tool_version: Mapped[words] = mapped_column(server_default=text("'1'"))
    members: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default=text("'{}'"), comment="Who was on the list at the month's end"
    )

    __table_args__ = (UniqueConstraint("caller", "request_id"),)


def stamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    given = Timestamp()
    given.FromDatetime(moment)
    return given


def notice_type(number: int) -> str:
    return tracking_pb2.NoticeType.Name(tracking_pb2.NoticeType.ValueType(number))
