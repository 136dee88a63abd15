"""Which step a registration may take, from which state and under which guards."""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from typing import NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from google.type.date_pb2 import Date

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import screening_pb2
from services.runtime.errors import Illegal

State: TypeAlias = pb.RegistrationState.ValueType
Reason: TypeAlias = pb.RemovalReason.ValueType
Strand: TypeAlias = screening_pb2.Strand.ValueType

NOMINATED = pb.REGISTRATION_STATE_NOMINATED
UNDER_REVIEW = pb.REGISTRATION_STATE_UNDER_REVIEW
ACTIVE = pb.REGISTRATION_STATE_ACTIVE
DECLINED = pb.REGISTRATION_STATE_DECLINED
EXIT_PLANNED = pb.REGISTRATION_STATE_EXIT_PLANNED
REMOVED = pb.REGISTRATION_STATE_REMOVED
ANNULLED = pb.REGISTRATION_STATE_ANNULLED
MERGED = pb.REGISTRATION_STATE_MERGED
DECEASED = pb.REMOVAL_REASON_DECEASED

FLAGGED = frozenset({ACTIVE, EXIT_PLANNED})
LIVE = FLAGGED | {NOMINATED, UNDER_REVIEW}

ADULT_YEARS = 18
LONDON = ZoneInfo("Europe/London")


class Standing(NamedTuple):
    """Where a registration stands: what its steps change."""

    state: State
    start: datetime | None = None
    # May lie ahead: until then the person is a PPO.
    end: datetime | None = None
    removal_reason: Reason = pb.REMOVAL_REASON_UNSPECIFIED
    # Of one that ended by a merge: when, and what it is again once the merge is taken back.
    merged: datetime | None = None
    merged_state: State = pb.REGISTRATION_STATE_UNSPECIFIED

    @property
    def name(self) -> str:
        return "DECEASED" if dead(self) else state_name(self.state)

    @property
    def counts(self) -> bool:
        """Whether it is an episode, past, present or ending: a stretch of time as a PPO."""
        return self.start is not None and (self.merged_state or self.state) in FLAGGED | {REMOVED}

    @property
    def until(self) -> datetime | None:
        """The end of the episode, by a removal or by a merge."""
        return min((one for one in (self.end, self.merged) if one is not None), default=None)

    def at(self, instant: datetime) -> "Standing":
        """The same once time has brought a planned end."""
        ended = self.state in FLAGGED and self.end is not None and self.end <= instant
        return self._replace(state=REMOVED) if ended else self


def state_name(state: State) -> str:
    return pb.RegistrationState.Name(state).removeprefix("REGISTRATION_STATE_")


def nominate(earlier: Iterable[Standing]) -> Standing:
    """Opens a registration beside those the person had."""
    for standing in earlier:
        if standing.removal_reason == DECEASED:
            raise Illegal("DECEASED_TO_NOMINATED", "the register says that this person has died")
        if standing.state in LIVE:
            raise Illegal("ON_REGISTER", f"this person has a registration already, which is {standing.name}")
    return Standing(NOMINATED)


def review(standing: Standing) -> Standing:
    _refuse_unless(standing, {NOMINATED}, UNDER_REVIEW)
    return Standing(UNDER_REVIEW)


def activate(
    standing: Standing, request: pb.DecideNominationRequest, criteria: Collection[int], start: datetime
) -> Standing:
    _refuse_unless(standing, {NOMINATED, UNDER_REVIEW}, ACTIVE)
    if not criteria:
        raise Illegal("NO_CRITERION", "a person becomes a PPO by at least one criterion")
    if request.doubtful and not _police_and_probation_agree(request.votes):
        raise Illegal("NOT_AGREED", "a doubtful case needs the agreement of police and probation")
    return Standing(ACTIVE, start)


def decline(standing: Standing) -> Standing:
    _refuse_unless(standing, {NOMINATED, UNDER_REVIEW}, DECLINED)
    return Standing(DECLINED)


def plan_exit(standing: Standing, plan: pb.ExitPlan) -> Standing:
    _refuse_unless(standing, {ACTIVE}, EXIT_PLANNED)
    if plan.drug_route == pb.DRUG_ROUTE_UNSPECIFIED:
        raise Illegal(
            "NO_DRUG_ROUTE", "an exit plan says where drug treatment goes on, or that none is needed"
        )
    if not plan.mainstream_information:
        raise Illegal(
            "NO_MAINSTREAM_INFORMATION", "an exit needs information about mainstream services given"
        )
    return standing._replace(state=EXIT_PLANNED)


def cancel_exit(standing: Standing) -> Standing:
    """A planned end is taken back with the plan."""
    _refuse_unless(standing, {EXIT_PLANNED}, ACTIVE)
    return Standing(ACTIVE, standing.start)


def remove(standing: Standing, request: pb.RemovePpoRequest, end: datetime, planned: datetime) -> Standing:
    """By consensus at a forum, once an exit is planned (`planned` says since when); or on death."""
    if request.reason == DECEASED:
        _refuse_unless(standing, FLAGGED, REMOVED)
    else:
        _refuse_unless(standing, {EXIT_PLANNED}, REMOVED)
        _refuse_without_consensus(request)
        if end < planned:
            raise Illegal("BEFORE_EXIT_PLAN", "a removal takes effect after the exit was planned")
    return _ended(standing, end, request.reason)


def dead(standing: Standing) -> bool:
    return standing.state == REMOVED and standing.removal_reason == DECEASED


def annul(standing: Standing) -> Standing:
    """Leaves no episode: the person never was a PPO."""
    _refuse_unless(standing, FLAGGED, ANNULLED)
    return standing._replace(state=ANNULLED)


def merge(standing: Standing, now: datetime) -> Standing:
    """Ends one of a person's two live registrations."""
    _refuse_unless(standing, LIVE, MERGED)
    return standing._replace(state=MERGED, merged=now, merged_state=standing.state)


def unmerge(standing: Standing) -> Standing:
    """As if it never had ended; what time has brought to an end since is ended."""
    _refuse_unless(standing, {MERGED}, standing.merged_state)
    return standing._replace(
        state=standing.merged_state, merged=None, merged_state=pb.REGISTRATION_STATE_UNSPECIFIED
    )


def at_once(one: Standing, other: Standing) -> bool:
    """Whether there was an instant at which both were episodes."""
    return one.counts and other.counts and _overlap(one, other)


def imported(start: datetime, end: datetime | None, reason: Reason) -> Standing:
    """A registration of a running register, with its dates."""
    running = Standing(ACTIVE, start)
    return running if end is None else _ended(running, end, reason)


def place(standing: Standing, others: Iterable[Standing]) -> None:
    """Refuses an episode that does not fit in with those the person has."""
    for other in others:
        if standing.state in LIVE and other.state in LIVE:
            raise Illegal("ON_REGISTER", f"this person has a registration already, which is {other.name}")
        if other.counts and _overlap(standing, other):
            raise Illegal("OVERLAPS", "this person was on the register already in that time")
        for first, second in ((standing, other), (other, standing)):
            if first.removal_reason == DECEASED and second.counts and _follows(second, first):
                raise Illegal(
                    f"DECEASED_TO_{second.name}", "the register says that this person has died before"
                )


def day(instant: datetime) -> date:
    """As the clocks of the forces have it."""
    return instant.astimezone(LONDON).date()


def refuse_age(strand: Strand, birth_date: Date, instant: datetime) -> None:
    """Prevent and Deter is for those under 18 alone; a date of birth that does not tell refuses nobody."""
    minor = under_age(birth_date, day(instant))
    if minor is True and strand != screening_pb2.STRAND_PREVENT_AND_DETER:
        raise Illegal("UNDER_18", "a person under 18 goes to Prevent and Deter: name that strand")
    if minor is False and strand == screening_pb2.STRAND_PREVENT_AND_DETER:
        raise Illegal("ADULT", "Prevent and Deter is for those under 18")


def under_age(born: Date, on: date) -> bool | None:
    """None where what is known of the date does not tell."""
    if not born.year:
        return None
    limit = (on.year - ADULT_YEARS, on.month, on.day)
    if (born.year, born.month or 12, born.day or 31) <= limit:
        return False
    return True if (born.year, born.month or 1, born.day or 1) > limit else None


def _refuse_unless(standing: Standing, states: Collection[State], target: State) -> None:
    if standing.state in states:
        return
    now, then = standing.name, state_name(target)
    able = " or ".join(sorted(state_name(state) for state in states))
    text = (
        f"a registration cannot become {then} again: this one is {now} already"
        if now == then
        else f"a registration that is {now} cannot become {then}: only one that is {able} can"
    )
    raise Illegal(f"{now}_TO_{then}", text)


def _refuse_without_consensus(request: pb.RemovePpoRequest) -> None:
    if not request.forum_id:
        raise Illegal("NO_FORUM", "a removal is decided by a forum")
    if not _police_and_probation_agree(request.votes) or not all(vote.agrees for vote in request.votes):
        raise Illegal(
            "NO_CONSENSUS", "a removal needs all who voted to agree, police and probation among them"
        )


def _police_and_probation_agree(votes: Iterable[pb.Vote]) -> bool:
    agreeing = {vote.agency for vote in votes if vote.agrees}
    return {pb.AGENCY_POLICE, pb.AGENCY_PROBATION} <= agreeing


def _ended(standing: Standing, end: datetime, reason: Reason) -> Standing:
    if standing.start is None or end <= standing.start:
        raise Illegal(
            "ENDS_BEFORE_IT_STARTS", "a registration ends after it started; one made in error is annulled"
        )
    return standing._replace(end=end, removal_reason=reason)


def _overlap(one: Standing, other: Standing) -> bool:
    return not (_follows(one, other) or _follows(other, one))


def _follows(later: Standing, earlier: Standing) -> bool:
    return earlier.until is not None and later.start is not None and earlier.until <= later.start
