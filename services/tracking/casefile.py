"""All that is recorded of a person: the journey it makes, and whose case it was at every instant."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from typing import NamedTuple, TypeVar, cast

from google.protobuf.message import Message
from google.type.date_pb2 import Date

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.people.flags import flagged_at
from services.runtime.reference import Reference, Row
from services.tracking import days, facts, forums, journey, ownership, wording
from services.tracking.evidence import (
    Areas,
    Dispute,
    Evidence,
    Existing,
    Former,
    ForumDecision,
    Limits,
    Offence,
    Plan,
    Residence,
    Status,
    Stay,
)
from services.tracking.facts import Fact
from services.tracking.ownership import Decision
from services.tracking.state import State
from services.tracking.steps import Step

M = TypeVar("M", bound=Message)

LIMITS = Limits()

# Every message that a fact may be.
KINDS: tuple[type[Message], ...] = (
    movement_pb2.Movement,
    custody.PpoArrested,
    custody.PpoArrestWithdrawn,
    custody.PpoDisposed,
    custody.PpoDrugTested,
    pb.RecordStageRequest,
    pb.AssignManagersRequest,
    pb.SetResidenceRequest,
    pb.PlanReleaseRequest,
    pb.RecordTenancyRequest,
    pb.RecordPrisonWorkRequest,
    pb.WithdrawFactRequest,
    pb.RaiseDisputeRequest,
    pb.DecideDisputeRequest,
    pb.AddressLocated,
)
SENTENCES = (pb.STAGE_KIND_COMMUNITY_SENTENCE, pb.STAGE_KIND_CUSTODIAL_SENTENCE)


class Entry(NamedTuple):
    """A fact as it was recorded."""

    id: str
    message: Message
    occurred: datetime
    recorded: datetime
    withdrawn: datetime | None = None


class Tenure(NamedTuple):
    """From when on an ownership holds."""

    start: datetime
    decision: Decision


class Standing(NamedTuple):
    """A decision, and what it was decided on."""

    at: datetime
    decided_on: Evidence
    decision: Decision
    # When the next one is made.
    following: datetime | None

    @property
    def evidence(self) -> Evidence:
        """What the next one starts from."""
        return ownership.follow(self.decided_on, self.decision)


@dataclass(frozen=True)
class CaseFile:
    flag: flagging.Flag
    entries: Sequence[Entry]
    reference: Reference
    limits: Limits = LIMITS
    # When other nominals were found to be this person.
    merges: tuple[datetime, ...] = ()
    # Since when the person is known here: what fell due before is nobody's to be reminded of.
    known: datetime | None = None

    @cached_property
    def _born(self) -> date | None:
        return days.latest(self.flag.person.birth_date)

    @cached_property
    def spans(self) -> tuple[tuple[datetime, datetime | None], ...]:
        return tuple(span(episode) for episode in self.episodes)

    @cached_property
    def episodes(self) -> list[flagging.Episode]:
        return sorted(self.flag.episodes, key=lambda one: one.effective_start_time.ToDatetime(UTC))

    @cached_property
    def happened(self) -> list[Fact]:
        """Withdrawn ones too: what was known before they were has to be told."""
        told = [fact for entry in self.entries if (fact := self._fact(entry))]
        return [*told, *(_registered(episode) for episode in self.episodes[1:])]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        return journey.journey(facts.known(self.happened))

    def journey(self, as_of: datetime | None, known_at: datetime | None) -> tuple[Step, ...]:
        return journey.known_journey(self.happened, as_of=as_of, known_at=known_at)

    def tenures(self, until: datetime) -> tuple[list[Tenure], datetime | None]:
        """Whose case it was from the first registration on; and when time alone may bring the next change."""
        found: list[Tenure] = []
        following = self.begins
        for standing in self.decisions(until):
            if not found or found[-1].decision.ownership != standing.decision.ownership:
                found.append(Tenure(standing.at, standing.decision))
            following = standing.following
        return found, following

    def decisions(self, until: datetime) -> Iterator[Standing]:
        """Each as facts and time bring it, from the first registration on."""
        existing: Existing | None = None
        former: Former | None = None
        at = self.begins
        while at is not None and at <= until:
            evidence = self.evidence(at, existing, former)
            decision = ownership.decide(evidence, at, self.limits)
            existing, former = ownership.successor(existing, former, decision)
            following = self._next(at, decision)
            yield Standing(at, evidence, decision, following)
            at = following

    @property
    def begins(self) -> datetime | None:
        return min((start for start, _ in self.spans), default=None)

    def as_known(self, at: datetime) -> "CaseFile":
        """By the facts that were recorded until then, and not withdrawn yet."""
        entries = [
            entry._replace(withdrawn=None) if entry.withdrawn and at < entry.withdrawn else entry
            for entry in self.entries
            if entry.recorded <= at
        ]
        return replace(self, entries=entries)

    def ownership(self, at: datetime) -> pb.Ownership:
        tenures, _ = self.tenures(at)
        return tenures[-1].decision.ownership if tenures else pb.Ownership(state=pb.OWNERSHIP_STATE_NONE)

    def last_owned(self, at: datetime) -> pb.Ownership:
        """The ownership at an instant; where the case is nobody's then, the last that was somebody's."""
        owned = (tenure.decision.ownership for tenure in reversed(self.tenures(at)[0]))
        return next((one for one in owned if one.owner), pb.Ownership(state=pb.OWNERSHIP_STATE_NONE))

    def evidence(
        self, at: datetime, existing: Existing | None = None, former: Former | None = None
    ) -> Evidence:
        episode = self._episode(at)
        state = self.state(at)
        return Evidence(
            areas=_areas(self.reference, days.day(at)),
            registered=self.spans,
            nominating_ocu=episode.nominating_ocu,
            birth_date=self._born,
            strand=episode.strand,
            status=Status(state.supervision or "NONE"),
            residences=self.residences,
            offences=self.offences,
            stays=self._stays(at),
            sentences=self._sentences,
            merges=self.merges,
            forum=self._forum(at),
            dispute=self._dispute(at),
            existing=existing,
            former=former,
        )

    def state(self, at: datetime) -> State:
        return journey.state_at(self.steps, at)

    def strand(self, at: datetime) -> screening_pb2.Strand.ValueType:
        return self._episode(at).strand

    def registration(self, at: datetime) -> str:
        return self._episode(at).registration_id

    def nominating_ocu(self, at: datetime) -> str:
        return self._episode(at).nominating_ocu

    def flag_state(self, at: datetime) -> screening_pb2.FlagState.ValueType:
        """At an instant, by the episodes; the flag's own state is of the time it was recorded."""
        if self.flag.state == screening_pb2.FLAG_STATE_MERGED_INTO:
            return screening_pb2.FLAG_STATE_MERGED_INTO
        if flagged_at(at, self.spans):
            return screening_pb2.FLAG_STATE_FLAGGED
        return screening_pb2.FLAG_STATE_NOT_FLAGGED

    def last(self, kind: type[M]) -> tuple[Entry, M] | None:
        found = self.told(kind)
        return found[-1] if found else None

    def of(self, kind: type[M]) -> list[M]:
        """All that stand, the latest last."""
        return [told for _, told in self.told(kind)]

    @cached_property
    def _standing(self) -> list[Entry]:
        return sorted(
            (entry for entry in self.entries if entry.withdrawn is None),
            key=lambda entry: (entry.occurred, entry.recorded, entry.id),
        )

    @cached_property
    def _by_kind(self) -> dict[type[Message], list[Entry]]:
        found: dict[type[Message], list[Entry]] = {}
        for entry in self._standing:
            found.setdefault(type(entry.message), []).append(entry)
        return found

    def told(self, kind: type[M], at: datetime | None = None) -> list[tuple[Entry, M]]:
        """All of a kind that stand, until an instant, the latest last, each with when it was."""
        told = self._by_kind.get(kind, ())
        return [(entry, cast(M, entry.message)) for entry in told if at is None or entry.occurred <= at]

    def _fact(self, entry: Entry) -> Fact | None:
        match entry.message:
            case movement_pb2.Movement() as movement:
                return facts.moved(movement, entry.recorded, self.reference, entry.withdrawn)
            case pb.RecordStageRequest() as stage:
                return facts.staged(entry.id, stage.kind, entry.occurred, entry.recorded, entry.withdrawn)
            case custody.PpoArrested() as arrest:
                return facts.arrested(arrest, entry.withdrawn)
            case custody.PpoDisposed() as disposal:
                return facts.disposed(disposal, entry.withdrawn)
        return None

    def _episode(self, at: datetime) -> flagging.Episode:
        begun = [
            episode for episode, (start, _) in zip(self.episodes, self.spans, strict=True) if start <= at
        ]
        return begun[-1] if begun else flagging.Episode()

    def _areas(self, at: datetime) -> Areas:
        return _areas(self.reference, days.day(at))

    @cached_property
    def residences(self) -> tuple[Residence, ...]:
        return tuple(self._residence(entry, told) for entry, told in self.told(pb.SetResidenceRequest))

    def _residence(self, entry: Entry, told: pb.SetResidenceRequest) -> Residence:
        handover = told.handover_time.ToDatetime(UTC) if told.HasField("handover_time") else None
        area, boundaries = self._lies(told, days.day(entry.occurred))
        return Residence(told.kind, area, entry.occurred, handover, boundaries)

    @cached_property
    def offences(self) -> tuple[Offence, ...]:
        # Told again once a merge was taken back it is the same arrest.
        arrests = {arrest.detention_id: (entry, arrest) for entry, arrest in self.told(custody.PpoArrested)}
        suites = (
            (entry.occurred, self._suite(arrest.suite_id, entry.occurred))
            for entry, arrest in arrests.values()
        )
        return tuple(Offence(suite.text("ocu"), occurred) for occurred, suite in suites if suite is not None)

    def _suite(self, suite_id: str, at: datetime) -> Row | None:
        """As it was; before the reference data begins, as it was first."""
        known = self.reference.history("suites", suite_id)
        return self.reference.row("suites", suite_id, at=at) or next(iter(known), None)

    @cached_property
    def _sentences(self) -> tuple[datetime, ...]:
        stages = self.told(pb.RecordStageRequest)
        return tuple(entry.occurred for entry, stage in stages if stage.kind in SENTENCES)

    @cached_property
    def stays(self) -> list[tuple[datetime, datetime | None]]:
        """From when until when the person was in prison custody."""
        found: list[tuple[datetime, datetime | None]] = []
        received: datetime | None = None
        for step in self.steps:
            inside, then = step.state.custody is not None, step.fact.occurred
            if inside and received is None:
                received = then
            elif not inside and received is not None:
                found.append((received, then))
                received = None
        return [*found, (received, None)] if received else found

    def plans(self, received: datetime, until: datetime | None) -> list[tuple[Entry, Plan | None]]:
        """What was planned in a stay, until an instant, the latest last; None where the date was lost."""
        return [(entry, self._plan(told)) for entry, told in self.told_plans(received, until)]

    def told_plans(
        self, received: datetime, until: datetime | None
    ) -> list[tuple[Entry, pb.PlanReleaseRequest]]:
        return [
            (entry, told)
            for entry, told in self.told(pb.PlanReleaseRequest)
            if received <= entry.occurred and (until is None or entry.occurred <= until)
        ]

    def _plan(self, told: pb.PlanReleaseRequest) -> Plan | None:
        if not told.HasField("release_date"):
            return None
        release = self.discharge(_day(told.release_date))
        return Plan(release, *self._lies(told, release))

    @cached_property
    def _located(self) -> dict[tuple[str, str], pb.AddressLocated]:
        """By the version that was loaded last."""
        told = sorted(self.of(pb.AddressLocated), key=lambda one: one.area_version)
        return {(one.postcode, one.premises): one for one in told}

    def _lies(
        self, told: pb.SetResidenceRequest | pb.PlanReleaseRequest, on: date
    ) -> tuple[str, tuple[tuple[datetime, str], ...]]:
        """The area of an address on a day, and from when on it is another's."""
        located = self._located.get((told.postcode, told.premises)) if told.postcode else None
        said = [(_day(one.effective_start_date), one.area) for one in located.areas] if located else []
        areas = [(start, area) for start, area in said if area]
        # Somebody may have lived there since before the first day that is known.
        areas[:1] = [(min(start, on), area) for start, area in areas[:1]]
        then = [area for start, area in areas if start <= on]
        later = tuple((days.midnight(start), area) for start, area in areas if start > on)
        return then[-1] if then else told.ocu, later

    def discharge(self, on: date) -> date:
        """When a prison lets the person out who is to be released on that day."""
        began = [received for received, _ in self.stays if days.day(received) <= on]
        return days.discharge(on, days.day(began[-1]) if began else None)

    def work(self, received: datetime, until: datetime | None) -> tuple[Entry | None, pb.PrisonWork | None]:
        """The latest that was recorded in a stay."""
        told = [
            (entry, one.work)
            for entry, one in self.told(pb.RecordPrisonWorkRequest, until)
            if received <= entry.occurred
        ]
        return told[-1] if told else (None, None)

    def stages(self) -> list[tuple[Entry, pb.RecordStageRequest]]:
        return self.told(pb.RecordStageRequest)

    @property
    def planned(self) -> Plan | None:
        """The plan of this stay; where none is known to have begun, what was planned since the last."""
        received, released = self.stays[-1] if self.stays else (None, None)
        plans = self.plans(released or received or datetime.min.replace(tzinfo=UTC), None)
        return plans[-1][1] if plans else None

    def tenancy(self, received: datetime) -> pb.TenancyHeld.ValueType:
        """Whether the person has a tenancy, as was said until it was known that they are out again."""
        ends = (
            max(step.fact.occurred, step.fact.recorded)
            for step in self.steps
            if step.fact.occurred > received and step.state.custody is None
        )
        said = self.told(pb.RecordTenancyRequest, next(ends, None))
        return said[-1][1].held if said else pb.TENANCY_HELD_UNKNOWN

    def trigger(self, arrest: custody.PpoArrested) -> bool:
        at = arrest.arrested_time.ToDatetime(UTC)
        return any(self.reference.row("trigger_offences", code, at=at) for code in arrest.offence_codes)

    def _stays(self, at: datetime) -> tuple[Stay, ...]:
        if not self.told(pb.PlanReleaseRequest):
            return self._unplanned
        planned = ((*stay, self.plans(stay[0], min(stay[1] or at, at))) for stay in self.stays)
        return tuple(
            Stay(received, released, plans[-1][1] if plans else None) for received, released, plans in planned
        )

    @cached_property
    def _unplanned(self) -> tuple[Stay, ...]:
        return tuple(Stay(received, released) for received, released in self.stays)

    def _forum(self, at: datetime) -> ForumDecision | None:
        decided = self.told(pb.DecideDisputeRequest, at)
        if not decided:
            return None
        entry, told = decided[-1]
        expires = told.expires_time.ToDatetime(UTC) if told.HasField("expires_time") else None
        forum = forums.name(self.reference, told.forum_id, entry.occurred)
        return ForumDecision(told.ocu, forum, entry.occurred, expires, wording.votes(told))

    def claims(self, at: datetime) -> list[tuple[Entry, pb.RaiseDisputeRequest]]:
        """Of the open dispute: those after the last decision."""
        decided = self.told(pb.DecideDisputeRequest, at)
        since = decided[-1][0].occurred if decided else datetime.min.replace(tzinfo=UTC)
        return [one for one in self.told(pb.RaiseDisputeRequest, at) if one[0].occurred > since]

    def _dispute(self, at: datetime) -> Dispute | None:
        claims = self.claims(at)
        if not claims:
            return None
        claimants, raised = tuple(dict.fromkeys(told.ocu for _, told in claims)), claims[0][0].occurred
        ocus = (row.id for row in self.reference.rows("ocus", at=raised))
        hearings = {ocu: heard for ocu in ocus if (heard := forums.hearing(self.reference, ocu, raised))}
        return Dispute(claimants, raised, hearings)

    @cached_property
    def _changes(self) -> list[datetime]:
        return sorted({entry.occurred for entry in self._standing})

    def _next(self, at: datetime, decision: Decision) -> datetime | None:
        ahead = (_after(self._changes, at), decision.next_time, _after(reforms(self.reference), at))
        return min((one for one in ahead if one is not None), default=None)


def _after(times: Sequence[datetime], at: datetime) -> datetime | None:
    """The next of these, which are in order."""
    place = bisect_right(times, at)
    return times[place] if place < len(times) else None


@lru_cache(maxsize=16)
def reforms(reference: Reference) -> tuple[datetime, ...]:
    """When an OCU, or the area of a youth offending team, begins or ends."""
    return tuple(days.midnight(on) for on in reference.turns("ocus", "youth_offending_teams"))


@lru_cache(maxsize=4096)
def _areas(reference: Reference, on: date) -> Areas:
    # What lay where before the reference data begins is taken to be what it begins with.
    at = days.midnight(max(on, reference.turns("ocus")[0]))
    teams = reference.rows("youth_offending_teams", at=at)
    return Areas(
        frozenset(row.id for row in reference.rows("ocus", at=at)),
        {ocu: team.id for team in teams for ocu in team.texts("ocus")},
    )


def _day(given: Date) -> date:
    return date(given.year, given.month, given.day)


def members(flag: flagging.Flag) -> set[str]:
    """The others of whom a flag tells; one that does not name them yet has their registrations."""
    return {*flag.merged_nominal_ids, *(one.nominal_id for one in flag.episodes)} - {"", flag.nominal_id}


def span(episode: flagging.Episode) -> tuple[datetime, datetime | None]:
    ended = episode.HasField("effective_end_time")
    end = episode.effective_end_time.ToDatetime(UTC) if ended else None
    return episode.effective_start_time.ToDatetime(UTC), end


def _registered(episode: flagging.Episode) -> Fact:
    return Fact(
        id=f"{episode.registration_id}/registered",
        event=facts.Event.REGISTERED,
        occurred=episode.effective_start_time.ToDatetime(UTC),
        recorded=episode.recorded_time.ToDatetime(UTC),
    )
