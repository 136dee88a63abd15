"""The dated facts that say whose case a person is, and what of them holds at an instant."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.people.flags import Span, flagged_at
from services.tracking import days

ResidenceKind: TypeAlias = pb.ResidenceKind.ValueType
Strand: TypeAlias = screening_pb2.Strand.ValueType

PERMANENT = (pb.RESIDENCE_KIND_HOME, pb.RESIDENCE_KIND_RELATIVE)
TEMPORARY = (
    pb.RESIDENCE_KIND_APPROVED_PREMISES,
    pb.RESIDENCE_KIND_HOSTEL,
    pb.RESIDENCE_KIND_HOSPITAL,
    pb.RESIDENCE_KIND_BAIL_ADDRESS,
)
ADULT = 18


class Status(StrEnum):
    """The order of a court that a person is under: it names the lead manager and never moves the OCU."""

    NONE = "NONE"
    LICENCE = "LICENCE"
    COMMUNITY_ORDER = "COMMUNITY_ORDER"


@dataclass(frozen=True)
class Limits:
    """What the information-sharing protocol has agreed; each a setting."""

    temporary_days: int = 28
    interest_days: int = 28
    window_months: int = 12
    proposal_months: int = 3
    custody_review_months: int = 24
    # Longer on the way from prison to prison somebody must look.
    transit_hours: float = 24
    # A recall that was asked for and is not carried out by then is somebody's to ask after.
    recall_hours: float = 72


@dataclass(frozen=True)
class Residence:
    kind: ResidenceKind
    # Empty with no fixed abode.
    area: str
    start: datetime
    # When the OCU takes the case over, where that is not at once.
    handover: datetime | None = None
    # From when on the address lies in another area, though nobody has moved.
    boundaries: tuple[tuple[datetime, str], ...] = ()
    # Since when it lies where it does, where that is by a boundary.
    redrawn: datetime | None = None

    def at(self, instant: datetime) -> "Residence":
        drawn = [boundary for boundary in self.boundaries if boundary[0] <= instant]
        return replace(self, area=drawn[-1][1], redrawn=drawn[-1][0]) if drawn else self


@dataclass(frozen=True)
class Offence:
    area: str
    time: datetime


@dataclass(frozen=True)
class Plan:
    """When a prisoner is to be released, and to which area once an address there is confirmed."""

    release: date
    area: str = ""
    # From when on, after the release, the address lies in another area.
    boundaries: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True)
class Stay:
    received: datetime
    released: datetime | None = None
    # None too for somebody who left for elsewhere: a plan that stands at the release is where they live then.
    plan: Plan | None = None


@dataclass(frozen=True)
class Existing:
    """The owner just before the instant."""

    owner: str
    since: datetime
    interim: bool = False


@dataclass(frozen=True)
class Former:
    owner: str
    until: datetime


@dataclass(frozen=True)
class ForumDecision:
    ocu: str
    forum: str
    decided: datetime
    expires: datetime | None = None
    # How the agencies voted, in words.
    votes: str = ""


@dataclass(frozen=True)
class Hearing:
    """The two meetings of a forum that hear a dispute, and who decides it after them."""

    forum: str
    name: str
    first: datetime
    second: datetime
    above: str


@dataclass(frozen=True)
class Dispute:
    """An open one: what the forum has decided is a ForumDecision."""

    claimants: tuple[str, ...]
    raised: datetime
    # By the forum of each OCU that may have the case meanwhile.
    hearings: Mapping[str, Hearing] = field(default_factory=dict)

    def hearing(self, keeper: str) -> Hearing | None:
        """By the keeper's forum; where it has none, as outside, by that of the first claimant who has one."""
        heard = (self.hearings.get(ocu) for ocu in (keeper, *self.claimants))
        return next((one for one in heard if one), None)


@dataclass(frozen=True)
class Areas:
    """The police area: its OCUs, and the youth offending team of each."""

    ocus: frozenset[str]
    youth_teams: Mapping[str, str]


class Evidence(NamedTuple):
    areas: Areas
    # When a registration is live, from and until.
    registered: tuple[Span, ...]
    nominating_ocu: str
    birth_date: date | None = None
    strand: Strand = screening_pb2.STRAND_UNSPECIFIED
    status: Status = Status.NONE
    residences: tuple[Residence, ...] = ()
    offences: tuple[Offence, ...] = ()
    stays: tuple[Stay, ...] = ()
    sentences: tuple[datetime, ...] = ()
    merges: tuple[datetime, ...] = ()
    existing: Existing | None = None
    former: Former | None = None
    forum: ForumDecision | None = None
    dispute: Dispute | None = None
    # Since when the scheme of an area outside has the person registered.
    registered_outside: Mapping[str, datetime] = MappingProxyType({})


@dataclass(frozen=True)
class Case:
    """What of the evidence holds at an instant."""

    evidence: Evidence
    at: datetime
    limits: Limits = Limits()

    @cached_property
    def live(self) -> bool:
        return flagged_at(self.at, self.evidence.registered)

    @cached_property
    def child(self) -> bool:
        born = self.evidence.birth_date
        if born is None:
            return self.evidence.strand == screening_pb2.STRAND_PREVENT_AND_DETER
        return days.day(self.at) < days.birthday(born, ADULT)

    @cached_property
    def dispute(self) -> Dispute | None:
        dispute = self.evidence.dispute
        return dispute if dispute and dispute.raised <= self.at else None

    @cached_property
    def forum(self) -> ForumDecision | None:
        """The decision in force: not expired, and no material change since."""
        forum = self.evidence.forum
        if forum is None or not forum.decided <= self.at:
            return None
        expired = forum.expires is not None and forum.expires <= self.at
        overtaken = any(forum.decided < change <= self.at for change in self._material_changes())
        return None if expired or overtaken else forum

    @cached_property
    def stay(self) -> Stay | None:
        """The stay in custody that lasts."""
        received = [stay for stay in self.evidence.stays if stay.received <= self.at]
        last = max(received, key=lambda stay: stay.received, default=None)
        if last is None or (last.released is not None and last.released <= self.at):
            return None
        return last

    @cached_property
    def plan(self) -> Plan | None:
        """The plan of the stay, once an address is confirmed."""
        plan = self.stay.plan if self.stay else None
        return plan if plan and plan.area else None

    @cached_property
    def residences(self) -> tuple[Residence, ...]:
        """The latest first; who is released to a confirmed address lives there until another is told."""
        told = sorted((*self._after_release(), *self.evidence.residences), key=lambda one: one.start)
        return tuple(one.at(self.at) for one in reversed(told) if one.start <= self.at)

    @cached_property
    def residence(self) -> Residence | None:
        return self.residences[0] if self.residences else None

    @cached_property
    def overstayed(self) -> bool:
        """Longer in temporary accommodation than counts as temporary."""
        if self.residence is None or self.residence.kind not in TEMPORARY:
            return False
        stayed = days.day(self.at) - days.day(self.residence.start)
        return stayed > timedelta(days=self.limits.temporary_days)

    @cached_property
    def temporary(self) -> bool:
        """An area outside is never a home by a long stay there: hostels take people from everywhere."""
        if self.residence is None or self.residence.kind not in TEMPORARY:
            return False
        return not self.overstayed or not self.inside(self.residence.area)

    @cached_property
    def lives(self) -> str:
        """The area that the person lives in for good; empty where there is none or none is known."""
        if self.residence is None or self.temporary:
            return ""
        return self.residence.area

    @cached_property
    def home(self) -> str:
        """The OCU of the last permanent residence, whatever came after it."""
        return self._home(self.at)

    @cached_property
    def home_at_reception(self) -> str:
        return self._home(self.stay.received) if self.stay else ""

    @cached_property
    def offending(self) -> Mapping[str, list[datetime]]:
        """The OCUs of the offences in the window, each with its times."""
        found: dict[str, list[datetime]] = {}
        for offence in self.evidence.offences:
            if self.inside(offence.area) and self._in_window(offence):
                found.setdefault(offence.area, []).append(offence.time)
        return found

    @cached_property
    def holder(self) -> str:
        """The existing owner: not an interim one, nor a youth offending team, nor an OCU that is no more."""
        existing = self.evidence.existing
        if existing is None or existing.interim or not self.may_own(existing.owner):
            return ""
        return existing.owner

    @cached_property
    def current(self) -> str:
        """Who has the case just before, interim or not."""
        existing = self.evidence.existing
        return existing.owner if existing and self.may_own(existing.owner) else ""

    @cached_property
    def former(self) -> str:
        """Who handed the case over so lately that it is still to be told."""
        former = self.evidence.former
        if former is None or former.until > self.at:
            return ""
        gone = days.day(self.at) - days.day(former.until)
        return former.owner if gone <= timedelta(days=self.limits.interest_days) else ""

    @cached_property
    def youth_team(self) -> str:
        """The team of the residence, else of the OCU that nominated, else the first there is."""
        teams = self.evidence.areas.youth_teams
        return teams[self.youth_ocu] if self.youth_ocu else min(teams.values(), default="")

    @cached_property
    def youth_ocu(self) -> str:
        """By which the team is found; empty where none of them has one."""
        homes = (self.residence.area if self.residence else "", self.home, self.evidence.nominating_ocu)
        return next((ocu for ocu in homes if ocu in self.evidence.areas.youth_teams), "")

    def inside(self, area: str) -> bool:
        return area in self.evidence.areas.ocus

    def accepted(self, area: str) -> bool:
        """Whether the scheme of an area outside has registered the person."""
        since = self.evidence.registered_outside.get(area)
        return since is not None and since <= self.at

    def may_own(self, area: str) -> bool:
        return self.inside(area) or self.accepted(area)

    def interest_ends(self, handed_over: datetime) -> datetime:
        """Until when the OCU that had the case is told of it."""
        return self._past(handed_over, self.limits.interest_days)

    def turns(self) -> Iterator[datetime]:
        """Every instant at which something begins or ends to hold by time alone."""
        evidence, limits = self.evidence, self.limits
        for span in evidence.registered:
            yield from (edge for edge in span if edge is not None)
        if evidence.birth_date:
            yield days.midnight(days.birthday(evidence.birth_date, ADULT))
        for residence in (*self._after_release(), *evidence.residences):
            yield from (one for one in (residence.start, residence.handover) if one is not None)
            yield from (start for start, _ in residence.boundaries)
            if residence.kind in TEMPORARY:
                yield self._past(residence.start, limits.temporary_days)
        for offence in evidence.offences:
            yield from (offence.time, self._leaves_window(offence))
        for stay in evidence.stays:
            yield from self._stay_turns(stay)
        if evidence.forum:
            yield from (one for one in (evidence.forum.decided, evidence.forum.expires) if one is not None)
        yield from (*evidence.sentences, *evidence.merges, *evidence.registered_outside.values())
        if evidence.dispute:
            yield evidence.dispute.raised
        if evidence.former:
            yield from (evidence.former.until, self.interest_ends(evidence.former.until))

    def _stay_turns(self, stay: Stay) -> Iterator[datetime]:
        yield stay.received
        yield days.midnight(days.shift(days.day(stay.received), self.limits.custody_review_months))
        if stay.released:
            yield stay.released
        if stay.plan:
            yield days.midnight(stay.plan.release)
            yield days.midnight(days.shift(stay.plan.release, -self.limits.proposal_months))

    def _past(self, start: datetime, length: int) -> datetime:
        """When more than so many days have passed."""
        return days.midnight(days.day(start) + timedelta(days=length + 1))

    def _leaves_window(self, offence: Offence) -> datetime:
        return days.midnight(days.shift(days.day(offence.time), self.limits.window_months))

    def _in_window(self, offence: Offence) -> bool:
        return offence.time <= self.at < self._leaves_window(offence)

    def _after_release(self) -> Iterator[Residence]:
        for stay in self.evidence.stays:
            if stay.released and stay.plan and stay.plan.area:
                plan, out = stay.plan, stay.released
                yield Residence(pb.RESIDENCE_KIND_HOME, plan.area, out, out, plan.boundaries)

    def _home(self, at: datetime) -> str:
        homes = (one.area for one in self.residences if one.kind in PERMANENT and one.start <= at)
        return next((area for area in homes if self.inside(area)), "")

    def _material_changes(self) -> Iterator[datetime]:
        yield from (one.start for one in self.residences if one.kind in PERMANENT)
        yield from (stay.released for stay in self.evidence.stays if stay.released)
        yield from (*self.evidence.sentences, *self.evidence.merges)
