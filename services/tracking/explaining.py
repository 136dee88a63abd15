"""Whose case it is and why: the decision, its history, the facts under it, what would change it."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from google.protobuf.timestamp_pb2 import Timestamp

from ppo.custody.v1 import events_pb2 as custody
from ppo.person.v1 import screening_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking import corrections, prospects, wording
from services.tracking.casefile import CaseFile, Tenure
from services.tracking.corrections import Period
from services.tracking.evidence import Residence
from services.tracking.prospects import Prospect

# How far ahead is told what time alone will bring.
AHEAD = timedelta(days=366)


def explained(
    file: CaseFile, ledger: Sequence[Period], at: datetime, now: datetime, known_at: datetime | None
) -> pb.ExplainOwnershipResponse:
    """By all that is recorded; with `known_at` as it was decided and told until then."""
    if known_at is not None:
        file = file.as_known(known_at)
        history = [(one.start, one.ownership) for one in corrections.known(ledger, known_at)]
        ledger = [one for one in ledger if one.recorded <= known_at]
    else:
        tenures, _ = file.tenures(max(at, now) + AHEAD)
        history = [(tenure.start, tenure.decision.ownership) for tenure in tenures]
    response = pb.ExplainOwnershipResponse(
        ownership=_at(history, at),
        as_of_time=_stamp(at),
        now_time=_stamp(now),
        history=(pb.OwnershipPeriod(start_time=_stamp(start), ownership=one) for start, one in history),
        corrections=corrections.all_of(ledger),
        facts=_facts(file),
    )
    if known_at is None:
        response.prospects.extend(map(_prospect, _prospects(file, tenures, at)))
    return response


def _at(history: Iterable[tuple[datetime, pb.Ownership]], at: datetime) -> pb.Ownership:
    begun = [ownership for start, ownership in history if start <= at]
    return begun[-1] if begun else pb.Ownership(state=pb.OWNERSHIP_STATE_NONE)


def _prospects(file: CaseFile, tenures: Sequence[Tenure], at: datetime) -> list[Prospect]:
    standing = next(iter(deque(file.decisions(at), maxlen=1)), None)
    if standing is None:
        return []
    ahead = [tenure for tenure in tenures if tenure.start > at]
    return prospects.prospects(standing, ahead, at, file.limits)


def _prospect(one: Prospect) -> pb.Prospect:
    return pb.Prospect(
        condition=one.condition, ownership=one.ownership, time=_stamp(one.at) if one.at else None
    )


# ---- the dated facts


def _facts(file: CaseFile) -> pb.CaseFacts:
    return pb.CaseFacts(
        registrations=_registrations(file),
        residences=_residences(file),
        stays=(_fact(*stay, wording.stay(file.state(stay[0]).prison)) for stay in file.stays),
        planned_releases=_planned(file),
        arrests=_arrests(file),
        disputes=_disputes(file),
    )


def _registrations(file: CaseFile) -> Iterator[pb.DatedFact]:
    for episode, (start, end) in zip(file.episodes, file.spans, strict=True):
        strand = screening_pb2.Strand.Name(episode.strand).removeprefix("STRAND_").replace("_", " ").lower()
        yield _fact(start, end, f"nominated by {episode.nominating_ocu}, {strand}")


def _residences(file: CaseFile) -> Iterator[pb.DatedFact]:
    told = sorted((*file.residences, *_released_to(file)), key=lambda one: one.start)
    for one, following in pairwise([*told, None]):
        if one is not None:
            yield _fact(one.start, following.start if following else None, wording.place(one))


def _released_to(file: CaseFile) -> Iterator[Residence]:
    for received, released in file.stays:
        plans = file.plans(received, released)
        plan = plans[-1][1] if plans else None
        if released and plan and plan.area:
            yield Residence(pb.RESIDENCE_KIND_HOME, plan.area, released)


def _planned(file: CaseFile) -> Iterator[pb.DatedFact]:
    """From when on it was planned, until another was."""
    for received, released in file.stays:
        plans = file.plans(received, released)
        ends = [*(entry.occurred for entry, _ in plans[1:]), released]
        for (entry, plan), end in zip(plans, ends, strict=False):
            if plan is not None:
                yield _fact(entry.occurred, end, wording.release(plan))


def _arrests(file: CaseFile) -> Iterator[pb.DatedFact]:
    for arrest in file.of(custody.PpoArrested):
        yield _fact(arrest.arrested_time.ToDatetime(UTC), None, f"arrested, {arrest.suite_id}")


def _disputes(file: CaseFile) -> Iterator[pb.DatedFact]:
    for entry, raised in file.told(pb.RaiseDisputeRequest):
        yield _fact(entry.occurred, None, f"dispute by {raised.ocu}")
    for entry, decided in file.told(pb.DecideDisputeRequest):
        yield _fact(entry.occurred, None, f"{decided.forum_id} for {decided.ocu}")


def _fact(start: datetime, end: datetime | None, text: str) -> pb.DatedFact:
    return pb.DatedFact(start_time=_stamp(start), end_time=_stamp(end) if end else None, text=text)


def _stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made
