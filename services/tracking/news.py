"""What there is to tell of a person now: all that has happened while on the register, by its cause."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.tracking.v1 import tracking_pb2 as pb
from services.people.flags import flagged_at
from services.tracking import changes, days
from services.tracking.casefile import CaseFile, Entry, span
from services.tracking.changes import Change
from services.tracking.evidence import Plan

Key: TypeAlias = tuple[int, str]

RELEASE_PLANNED = pb.NOTICE_TYPE_RELEASE_PLANNED
FLAGS = FLAG_SET, FLAG_CLEARED = pb.NOTICE_TYPE_PPO_FLAG_SET, pb.NOTICE_TYPE_PPO_FLAG_CLEARED


def news(file: CaseFile, told: Collection[Key], now: datetime) -> list[Change]:
    """What was `told` and is not among it any more was told in error."""
    happened = [*_flags(file, told, now), *_movements(file), *_custody(file), *_planned(file)]
    return list({(change.type, change.cause): change for change in happened}.values())


def text(change: Change, notice: int) -> str:
    """What a notice tells of a change; of a flag only that it is so."""
    if change.type in FLAGS:
        return ""
    release = change.release or ""
    words = (change.occurred.isoformat(), change.prison, change.from_prison, change.basis, release)
    told = (*words, change.suite, *change.offences)
    # That nobody has said is what was told before it could be said.
    if notice == pb.NOTICE_TYPE_HOUSING_FAST_TRACK and change.tenancy != pb.TENANCY_HELD_UNKNOWN:
        told = (*told, pb.TenancyHeld.Name(change.tenancy))
    return "|".join(told)


def cleared(told: Collection[Key], now: datetime) -> list[Change]:
    """Of a nominal that lives on under another: the flag of this one is no more."""
    causes = {cause for kind, cause in told if kind == FLAG_SET}
    return [_cleared(cause, now) for cause in sorted(causes)]


def _cleared(cause: str, now: datetime) -> Change:
    """Whoever was told anything of the person as a PPO is told that they are none."""
    return Change(FLAG_CLEARED, cause, now, now, undoes=tuple(pb.NoticeType.values()))


def _flags(file: CaseFile, told: Collection[Key], now: datetime) -> Iterator[Change]:
    """A register that is imported with what has ended long ago is no news."""
    for episode in file.episodes:
        cause, (start, end) = episode.registration_id, span(episode)
        live = start <= now and (end is None or now < end)
        if live or (FLAG_SET, cause) in told:
            yield Change(FLAG_SET, cause, now, now)
        if (FLAG_SET, cause) in told and end is not None and end <= now and not episode.merged:
            yield _cleared(cause, now)


def _movements(file: CaseFile) -> Iterator[Change]:
    """What happened before somebody was a PPO, or after, is nobody's business here."""
    for change in changes.of_journey(file.steps):
        if not flagged_at(change.occurred, file.spans):
            continue
        if change.type == pb.NOTICE_TYPE_PRISON_RECEPTION:
            change = replace(change, tenancy=file.tenancy(change.occurred))
        yield change


def _custody(file: CaseFile) -> Iterator[Change]:
    """Custody tells of PPOs alone, by what the register said then; an annulled one never was a PPO."""
    if not file.spans:
        return
    for arrest in file.of(custody.PpoArrested):
        yield changes.arrested(arrest, trigger=file.trigger(arrest))
    for test in file.of(custody.PpoDrugTested):
        if test.drug_test.route == custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM:
            yield changes.tested(test)


def _planned(file: CaseFile) -> Iterator[Change]:
    """One notice for all the dates that a stay in custody is given, and one for each time that it is lost."""
    for received, released in file.stays:
        if not flagged_at(received, file.spans):
            continue
        standing: Plan | None = None
        for entry, plan in file.plans(received, released):
            if plan is None and standing is not None:
                yield _lost(file, entry, standing)
            standing = plan
        if standing is not None:
            yield Change(
                RELEASE_PLANNED,
                f"stay since {received.isoformat()}",
                days.midnight(standing.release),
                received,
                prison=file.state(released or datetime.max.replace(tzinfo=UTC)).prison,
            )


def _lost(file: CaseFile, told: Entry, plan: Plan) -> Change:
    return Change(
        pb.NOTICE_TYPE_RELEASE_CANCELLED,
        told.id,
        days.midnight(plan.release),
        told.recorded,
        prison=file.state(told.occurred).prison,
        undoes=(RELEASE_PLANNED,),
    )
