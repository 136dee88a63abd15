"""What there is to tell of a person now: all that has happened while on the register, by its cause."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, time
from typing import TypeAlias

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.tracking.v1 import tracking_pb2 as pb
from services.people.flags import flagged_at
from services.runtime.reference import LONDON
from services.tracking import changes
from services.tracking.casefile import CaseFile, span
from services.tracking.changes import Change

Key: TypeAlias = tuple[int, str]

FLAG_SET, FLAG_CLEARED = pb.NOTICE_TYPE_PPO_FLAG_SET, pb.NOTICE_TYPE_PPO_FLAG_CLEARED


def news(file: CaseFile, told: Collection[Key], now: datetime) -> list[Change]:
    """What was `told` and is not among it any more was told in error."""
    happened = [*_flags(file, told, now), *_movements(file), *_custody(file), *_planned(file)]
    return list({(change.type, change.cause): change for change in happened}.values())


def text(change: Change) -> str:
    """What is told of a change; of a flag only that it is so."""
    if change.type in (FLAG_SET, FLAG_CLEARED):
        return ""
    release = change.release or ""
    words = (change.occurred.isoformat(), change.prison, change.from_prison, change.basis, release)
    return "|".join((*words, change.suite, *change.offences))


def cleared(told: Collection[Key], now: datetime) -> list[Change]:
    """Of a nominal that lives on under another: the flag of this one is no more."""
    causes = {cause for kind, cause in told if kind == FLAG_SET}
    return [Change(FLAG_CLEARED, cause, now, now) for cause in sorted(causes)]


def _flags(file: CaseFile, told: Collection[Key], now: datetime) -> Iterator[Change]:
    """A register that is imported with what has ended long ago is no news."""
    for episode in file.episodes:
        cause, (start, end) = episode.registration_id, span(episode)
        live = start <= now and (end is None or now < end)
        if live or (FLAG_SET, cause) in told:
            yield Change(FLAG_SET, cause, now, now)
        if (FLAG_SET, cause) in told and end is not None and end <= now:
            yield Change(FLAG_CLEARED, cause, now, now)


def _movements(file: CaseFile) -> Iterator[Change]:
    """What happened before somebody was a PPO, or after, is nobody's business here."""
    for change in changes.of_journey(file.steps):
        if flagged_at(change.occurred, file.spans):
            yield change


def _custody(file: CaseFile) -> Iterator[Change]:
    """Custody tells of PPOs alone, by what the register said then; an annulled one never was a PPO."""
    if not file.spans:
        return
    for arrest in file.of(custody.PpoArrested):
        yield changes.arrested(arrest)
    for test in file.of(custody.PpoDrugTested):
        if test.drug_test.route == custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM:
            yield changes.tested(test)


def _planned(file: CaseFile) -> Iterator[Change]:
    """One notice for all the dates that a stay in custody is given."""
    for received, released in file.stays:
        plans = file.plans(received, released)
        if plans and flagged_at(received, file.spans):
            out = datetime.combine(plans[-1].release, time(), LONDON).astimezone(UTC)
            yield Change(
                pb.NOTICE_TYPE_RELEASE_PLANNED,
                f"stay since {received.isoformat()}",
                out,
                received,
                prison=file.state(released or datetime.max.replace(tzinfo=UTC)).prison,
            )
