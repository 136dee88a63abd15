"""The tables of custody: decisions, custody records, verdicts, drug tests, suites' events, and cases."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, MetaData, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.custody import answers, verdicts
from services.custody.verdicts import Asked, Said
from services.runtime.consumer import Inbox
from services.runtime.database import instant
from services.runtime.due import Due
from services.runtime.outbox import Outbox
from services.runtime.requests import Requests

NAMES = {
    "ix": "%(table_name)s_%(column_0_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class Base(DeclarativeBase):
    metadata = MetaData(schema="custody", naming_convention=NAMES)


outbox = Outbox(Base.metadata, "/ppo/custody")
inbox = Inbox(Base.metadata)
due = Due(Base.metadata)
requests = Requests(Base.metadata)


class Decision(Base):
    """One answer as it was given; never changed, but that its input goes."""

    __tablename__ = "decision"
    __table_args__ = (Index("decision_subjects", "subjects", postgresql_using="gin"),)

    decision_id: Mapped[str] = mapped_column(Text, primary_key=True)
    detention_id: Mapped[str | None] = mapped_column(Text, index=True, comment="None for a check alone")
    suite_id: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    purpose: Mapped[str] = mapped_column(Text)
    outcome: Mapped[str] = mapped_column(Text)
    basis: Mapped[str] = mapped_column(Text)
    identity_basis: Mapped[str] = mapped_column(Text)
    unknown_reason: Mapped[str] = mapped_column(Text)
    register_version: Mapped[int] = mapped_column(BigInteger)
    model_version: Mapped[str] = mapped_column(Text)
    threshold_bits: Mapped[float]
    fingerprint: Mapped[bool]
    offence_codes: Mapped[list[str]] = mapped_column(
        ARRAY(Text), server_default="{}", comment="Given with a check alone; a custody record has its own"
    )
    answered_time: Mapped[instant]
    answer: Mapped[bytes] = mapped_column(
        LargeBinary, comment="ppo.custody.v1.Answer: candidates with their bits and evidence among it"
    )
    input_digest: Mapped[bytes] = mapped_column(LargeBinary, comment="Keyed digest of what was given")
    subjects: Mapped[list[bytes]] = mapped_column(
        ARRAY(LargeBinary), comment="Keyed digests by which another decision about this person is found"
    )
    input: Mapped[bytes | None] = mapped_column(
        LargeBinary, comment="What was given, encrypted; gone once the register has answered or they left"
    )

    def to_proto(self) -> pb.Answer:
        return pb.Answer.FromString(self.answer)


class Detention(Base):
    """A custody record."""

    __tablename__ = "detention"
    __table_args__ = (
        Index("detention_open", "suite_id", postgresql_where="disposed_time IS NULL"),
        Index("detention_candidates", "candidates", postgresql_using="gin"),
    )

    detention_id: Mapped[str] = mapped_column(Text, primary_key=True)
    suite_id: Mapped[str] = mapped_column(Text)
    person: Mapped[bytes] = mapped_column(LargeBinary, comment="ppo.person.v1.Person as given at the desk")
    fingerprints: Mapped[list[str]] = mapped_column(
        ARRAY(Text), comment="Which of its identifiers were read off fingerprints"
    )
    arrested_time: Mapped[instant]
    booked_time: Mapped[instant]
    booked_by: Mapped[str] = mapped_column(Text)
    offence_codes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    decision_id: Mapped[str] = mapped_column(ForeignKey(Decision.decision_id), comment="The latest answer")
    candidates: Mapped[list[str]] = mapped_column(
        ARRAY(Text), comment="Nominal ids that the latest answer names"
    )
    arrested_nominal: Mapped[str | None] = mapped_column(
        Text, index=True, comment="Whose arrest was published and stands"
    )
    instructions: Mapped[bytes] = mapped_column(
        LargeBinary,
        server_default="",
        comment="ppo.custody.v1.Instructions: all that was asked for and stands or was withdrawn",
    )
    elsewhere: Mapped[list[str]] = mapped_column(
        ARRAY(Text),
        server_default="{}",
        comment="Other suites that hold the same PPO, as this one was last told",
    )
    disposal: Mapped[str | None] = mapped_column(Text)
    disposed_time: Mapped[instant | None]

    decision: Mapped[Decision] = relationship(lazy="joined", innerjoin=True)
    drug_test: Mapped["DrugTest | None"] = relationship(lazy="joined")
    verdicts: Mapped[list["Verdict"]] = relationship(lazy="selectin", order_by="Verdict.id")

    @property
    def open(self) -> bool:
        return self.disposed_time is None

    @property
    def concerned(self) -> bool:
        """Whether another answer matters: the person is here, or left with a referral nobody could route."""
        return self.open or (self.drug_test is not None and self.drug_test.status_not_known)

    @property
    def numbered(self) -> bool:
        """Whether the answer may hang on what the register's index has recorded under a number."""
        return not answers.flagged(self.decision.to_proto()) and bool(self.asked.person.identifiers)

    def details(self) -> person_pb2.Person:
        return person_pb2.Person.FromString(self.person)

    def to_proto(self) -> pb.Detention:
        answer = self.decision.to_proto()
        confirmed = verdicts.standing(self.said).confirmed
        return pb.Detention(
            detention_id=self.detention_id,
            suite_id=self.suite_id,
            state=pb.DETENTION_STATE_OPEN if self.open else pb.DETENTION_STATE_CLOSED,
            person=self.details(),
            arrested_time=timestamp(self.arrested_time),
            booked_time=timestamp(self.booked_time),
            offence_codes=self.offence_codes,
            answer=answer,
            nominal_id=confirmed.nominal_id if confirmed else answers.flagged(answer),
            drug_test=self.drug_test.to_proto() if self.drug_test else None,
            instructions=self.orders(),
            elsewhere_suite_ids=self.elsewhere,
            match_decisions=[each.to_proto() for each in self.verdicts],
        )

    def orders(self) -> pb.Instructions:
        return pb.Instructions.FromString(self.instructions)

    @property
    def said(self) -> list[Said]:
        return [each.to_said() for each in self.verdicts]

    @property
    def asked(self) -> Asked:
        return verdicts.asked(self.details(), self.fingerprints, self.said)


class Verdict(Base):
    """What an officer said of a possible match; a correction is another row."""

    __tablename__ = "verdict"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    detention_id: Mapped[str] = mapped_column(ForeignKey(Detention.detention_id), index=True)
    nominal_id: Mapped[str] = mapped_column(Text)
    same_person: Mapped[bool]
    fingerprint: Mapped[bool] = mapped_column(comment="It rests on fingerprints, else on an identifier")
    decided_by: Mapped[str] = mapped_column(Text)
    recorded_time: Mapped[instant]
    reason: Mapped[str] = mapped_column(
        Text, server_default="", comment="Why what was said before is wrong; empty where nothing was"
    )

    def to_said(self) -> Said:
        return Said(self.nominal_id, self.same_person, self.fingerprint)

    def to_proto(self) -> pb.MatchDecision:
        same, another = pb.MATCH_VERDICT_SAME_PERSON, pb.MATCH_VERDICT_ANOTHER_PERSON
        by_print = screening_pb2.IDENTITY_BASIS_FINGERPRINT
        return pb.MatchDecision(
            nominal_id=self.nominal_id,
            verdict=same if self.same_person else another,
            identity_basis=by_print if self.fingerprint else screening_pb2.IDENTITY_BASIS_IDENTIFIER,
            decided_by=self.decided_by,
            decided_time=timestamp(self.recorded_time),
            reason=self.reason,
        )


class DrugTest(Base):
    """A drug test and where its referral goes."""

    __tablename__ = "drug_test"
    __table_args__ = (
        UniqueConstraint("detention_id"),
        Index(None, "route", "referred_time"),
        Index("drug_test_left_unknown", "detention_id", postgresql_where="status_not_known"),
    )

    test_id: Mapped[str] = mapped_column(Text, primary_key=True)
    detention_id: Mapped[str] = mapped_column(ForeignKey(Detention.detention_id))
    suite_id: Mapped[str] = mapped_column(Text)
    result: Mapped[str] = mapped_column(Text)
    drug: Mapped[str] = mapped_column(Text)
    tested_time: Mapped[instant]
    tested_by: Mapped[str] = mapped_column(Text)
    recorded_time: Mapped[instant]
    route: Mapped[str] = mapped_column(Text)
    referred_time: Mapped[instant] = mapped_column(comment="When it came to this route")
    status_not_known: Mapped[bool] = mapped_column(comment="The person left while it was held")

    corrections: Mapped[list["DrugTestCorrection"]] = relationship(
        lazy="selectin", order_by="DrugTestCorrection.id"
    )

    def to_proto(self) -> pb.DrugTest:
        return pb.DrugTest(
            test_id=self.test_id,
            suite_id=self.suite_id,
            result=pb.TestResult.Value(self.result),
            drug=pb.Drug.Value(self.drug),
            tested_time=timestamp(self.tested_time),
            route=pb.ReferralRoute.Value(self.route),
            corrections=[each.to_proto(self.suite_id) for each in self.corrections],
        )


class DrugTestCorrection(Base):
    """What had been recorded of a drug test before somebody corrected it."""

    __tablename__ = "drug_test_correction"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    test_id: Mapped[str] = mapped_column(ForeignKey(DrugTest.test_id), index=True)
    result: Mapped[str] = mapped_column(Text)
    drug: Mapped[str] = mapped_column(Text)
    tested_time: Mapped[instant]
    tested_by: Mapped[str] = mapped_column(Text)
    corrected_by: Mapped[str] = mapped_column(Text)
    recorded_time: Mapped[instant] = mapped_column(comment="When it was corrected")
    reason: Mapped[str] = mapped_column(Text)

    def to_proto(self, suite_id: str) -> pb.DrugTestCorrection:
        return pb.DrugTestCorrection(
            suite_id=suite_id,
            result=pb.TestResult.Value(self.result),
            drug=pb.Drug.Value(self.drug),
            tested_time=timestamp(self.tested_time),
            corrected_by=self.corrected_by,
            corrected_time=timestamp(self.recorded_time),
            reason=self.reason,
        )


class Suite(Base):
    """Numbers the events of a suite without a gap, in commit order."""

    __tablename__ = "suite"

    suite_id: Mapped[str] = mapped_column(Text, primary_key=True)
    last_number: Mapped[int] = mapped_column(BigInteger)


class SuiteEvent(Base):
    """What happened in a suite, as its screens are told."""

    __tablename__ = "suite_event"

    suite_id: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    recorded_time: Mapped[instant]
    detention: Mapped[bytes] = mapped_column(
        LargeBinary, comment="ppo.custody.v1.Detention as it stood after the event"
    )
    earlier_outcome: Mapped[str] = mapped_column(Text)

    def to_proto(self) -> pb.WatchSuiteResponse:
        return pb.WatchSuiteResponse(
            number=self.number,
            kind=pb.SuiteEventKind.Value(self.kind),
            recorded_time=timestamp(self.recorded_time),
            detention=pb.Detention.FromString(self.detention),
            earlier_outcome=screening_pb2.Outcome.Value(self.earlier_outcome),
        )


class CaseState(Base):
    """Whose case a person is, as tracking last told."""

    __tablename__ = "case_state"

    nominal_id: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, comment="A state applies over a lower one only")
    message: Mapped[bytes] = mapped_column(LargeBinary, comment="ppo.tracking.v1.Case")


def timestamp(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp
