"""Made-up PPOs and what happens to them in two years: moves, arrests, prison; told some time afterwards."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import NamedTuple, TypeAlias
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking

Fact: TypeAlias = (
    flagging.Flag
    | custody.PpoArrested
    | movement_pb2.Movement
    | tracking.SetResidenceRequest
    | tracking.PlanReleaseRequest
)

BEGIN = datetime(2004, 10, 1, 9, tzinfo=UTC)
END = datetime(2006, 10, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)
OCUS = ("D1", "D2", "D3", "E1", "E2", "E3", "F1", "F2", "F3")
PRISONS = ("BMI", "FSI")
OUTSIDE = "K1"
TEMPORARY = (
    tracking.RESIDENCE_KIND_HOSTEL,
    tracking.RESIDENCE_KIND_APPROVED_PREMISES,
    tracking.RESIDENCE_KIND_BAIL_ADDRESS,
)


class Told(NamedTuple):
    at: datetime
    nominal_id: str
    prison_number: str
    fact: Fact


def told(people: int, seed: int) -> list[Told]:
    """In the order in which it becomes known."""
    found = [one for place in range(people) for one in Life(place, Random(seed * people + place)).told()]
    return sorted(found, key=lambda one: (one.at, one.nominal_id))


class Life:
    def __init__(self, place: int, chance: Random) -> None:
        self._chance = chance
        self._nominal_id = str(UUID(int=chance.getrandbits(128), version=4))
        self._number = (
            f"A{place % 10_000:04}{chr(65 + place // 10_000 % 26)}{chr(65 + place // 260_000 % 26)}"
        )
        self._ocu = chance.choice(OCUS)
        self._registered = BEGIN + chance.random() * 180 * DAY

    def told(self) -> Iterator[Told]:
        yield Told(self._registered, self._nominal_id, self._number, self._flag(1, None))
        facts = [*self._residences(), *self._arrests(), *self._stay()]
        for occurred, fact in facts:
            at = max(occurred, self._registered) + self._lag()
            if at < END:
                yield Told(at, self._nominal_id, self._number, fact)
        if self._chance.random() < 0.1:
            ended = self._some_time()
            yield Told(ended, self._nominal_id, self._number, self._flag(2, ended))

    def _lag(self) -> timedelta:
        """Most is known within hours, some after days, a little after weeks."""
        most = self._chance.choices((timedelta(hours=6), 5 * DAY, 60 * DAY), (80, 15, 5))[0]
        return self._chance.random() * most

    def _some_time(self) -> datetime:
        return self._registered + self._chance.random() * (END - self._registered)

    def _area(self) -> str:
        return OUTSIDE if self._chance.random() < 0.05 else self._chance.choice(OCUS)

    def _flag(self, version: int, ended: datetime | None) -> flagging.Flag:
        born = date(1978, 6, 1) + self._chance.randrange(3600) * DAY
        flag = flagging.Flag(
            nominal_id=self._nominal_id,
            version=version,
            state=screening_pb2.FLAG_STATE_NOT_FLAGGED if ended else screening_pb2.FLAG_STATE_FLAGGED,
            person=person_pb2.Person(
                name=person_pb2.Name(given_name="Bench", family_name=self._number),
                birth_date=Date(year=born.year, month=born.month, day=born.day),
                identifiers=[
                    person_pb2.Identifier(kind=person_pb2.IDENTIFIER_KIND_PRISON_NUMBER, value=self._number)
                ],
            ),
            recorded_time=_stamp(ended or self._registered),
        )
        flag.episodes.add(
            registration_id=f"registration of {self._nominal_id}",
            strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
            nominating_ocu=self._ocu,
            effective_start_time=_stamp(self._registered),
            effective_end_time=_stamp(ended) if ended else None,
            recorded_time=_stamp(self._registered),
        )
        return flag

    def _residences(self) -> Iterator[tuple[datetime, Fact]]:
        if self._chance.random() < 0.8:
            yield self._residence(self._registered - 100 * DAY, tracking.RESIDENCE_KIND_HOME, 0)
        for _ in range(self._chance.choice((0, 0, 1, 1, 2))):
            temporary = self._chance.random() < 0.2
            kind = self._chance.choice(TEMPORARY) if temporary else tracking.RESIDENCE_KIND_HOME
            yield self._residence(self._some_time(), kind, self._chance.choice((0, 0, 14)))

    def _residence(
        self, at: datetime, kind: tracking.ResidenceKind.ValueType, handover_days: int
    ) -> tuple[datetime, Fact]:
        handover = _stamp(at + handover_days * DAY) if handover_days else None
        fact = tracking.SetResidenceRequest(
            request_id=self._id(),
            nominal_id=self._nominal_id,
            kind=kind,
            ocu=self._area(),
            effective_time=_stamp(at),
            handover_time=handover,
        )
        return at, fact

    def _arrests(self) -> Iterator[tuple[datetime, Fact]]:
        for _ in range(self._chance.choice((0, 1, 2, 3, 4))):
            at = self._some_time()
            arrest = custody.PpoArrested(
                detention_id=self._id(),
                nominal_id=self._nominal_id,
                suite_id=self._chance.choice(OCUS),
                arrested_time=_stamp(at),
                booked_time=_stamp(at),
                recorded_time=_stamp(at),
                offence_codes=["burglary"],
            )
            yield at, arrest

    def _stay(self) -> Iterator[tuple[datetime, Fact]]:
        """Two in five are in prison once; of most the release is planned, of half of these to an address."""
        if self._chance.random() > 0.4:
            return
        received = self._some_time()
        # A plan comes after 20 days, is known after 60 more at most, and told at the half-year's end.
        released = received + (270 + self._chance.randrange(200)) * DAY
        prison = self._chance.choice(PRISONS)
        yield self._moved(movement_pb2.MOVEMENT_KIND_RECEPTION, "I", prison, received)
        if self._chance.random() < 0.7:
            planned = tracking.PlanReleaseRequest(
                request_id=self._id(),
                nominal_id=self._nominal_id,
                release_date=Date(year=released.year, month=released.month, day=released.day),
                ocu=self._chance.choice(("", self._chance.choice(OCUS))),
            )
            yield received + 20 * DAY, planned
        yield self._moved(movement_pb2.MOVEMENT_KIND_RELEASE, "CR", prison, released)

    def _moved(
        self, kind: movement_pb2.MovementKind.ValueType, code: str, prison: str, at: datetime
    ) -> tuple[datetime, Fact]:
        movement = movement_pb2.Movement(
            movement_id=self._id(),
            prison_number=self._number,
            kind=kind,
            reason_code=code,
            prison_id=prison,
            occurred_time=_stamp(at),
            source="topic",
        )
        return at, movement

    def _id(self) -> str:
        return str(UUID(int=self._chance.getrandbits(128), version=4))


def _stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made
