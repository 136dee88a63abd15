"""What there is to tell of a person now: all that has happened while on the register, by its cause."""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any, TypeAlias

from ppo.custody.v1 import custody_pb2
from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.people.flags import flagged_at
from services.tracking import changes, days, handing
from services.tracking.casefile import CaseFile, Entry, span
from services.tracking.changes import Change, NoticeType
from services.tracking.evidence import Plan
from services.tracking.facts import Event, Fact
from services.tracking.reminders import before_release, reviews
from services.tracking.state import REQUESTED, State
from services.tracking.transfers import Transfer, in_transit, transfers

Key: TypeAlias = tuple[int, str]

RELEASE_PLANNED = pb.NOTICE_TYPE_RELEASE_PLANNED
IDENTIFIED, PRE_RELEASE = pb.NOTICE_TYPE_PPO_IDENTIFIED_IN_CUSTODY, pb.NOTICE_TYPE_PRE_RELEASE_DUE
HANDOVER, REVIEW = pb.NOTICE_TYPE_CARE_PLAN_HANDOVER, pb.NOTICE_TYPE_REVIEW_DUE
BREACHES = {
    Event.BREACH_PROCEEDINGS: pb.NOTICE_TYPE_BREACH_STARTED,
    Event.RECALL_REQUESTED: pb.NOTICE_TYPE_RECALL_REQUESTED,
    Event.RECALL_EXECUTED: pb.NOTICE_TYPE_RECALL_EXECUTED,
}
# Told when it happens, and never unsaid: what follows is another.
LASTING = handing.TYPES
FLAGS = FLAG_SET, FLAG_CLEARED = pb.NOTICE_TYPE_PPO_FLAG_SET, pb.NOTICE_TYPE_PPO_FLAG_CLEARED


def news(file: CaseFile, told: Collection[Key], now: datetime) -> list[Change]:
    """What was `told` and is not among it any more was told in error."""
    happened = [
        *_flags(file, told, now),
        *_identified(file, told, now),
        *_movements(file, now),
        *_custody(file),
        *_breaches(file),
        *_planned(file),
        *_handed_over(file),
        *_ahead(file, told, now),
        *_reviews(file, told, now),
    ]
    return list({(change.type, change.cause): change for change in happened}.values())


def brought_along(file: CaseFile, now: datetime) -> dict[str, Any]:
    """The dates that a case brings along: of the release that is planned, of the next review."""
    stay = file.stays[-1] if file.stays and file.stays[-1][1] is None else None
    today = days.day(now)
    coming = (on for episode in file.episodes[-1:] for on in _review_days(file, episode) if on > today)
    return {"planned": _standing(file, *stay) if stay else None, "review": next(coming, None)}


def next_time(file: CaseFile, now: datetime) -> datetime | None:
    """When time alone will next bring something to tell."""
    return min((turn for turn in _turns(file, now) if turn > now), default=None)


def late(file: CaseFile, now: datetime) -> Iterator[tuple[str, str, str]]:
    """(kind of review, fact, why) of what should have been followed by something else by now."""
    move = _on_the_way(file)
    if move and move.left and _late(file, move.left.occurred, now):
        yield "transfer", move.left.id, f"left {move.from_prison} and no prison has received them"
    asked = _recall_asked(file)
    if asked and now >= _recall_limit(file, asked):
        yield "recall", asked.id, "a recall was requested and is not executed"


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
    return "|".join((*told, *_besides(change)))


def _besides(change: Change) -> Iterator[str]:
    """Only what there is, so that a notice without it reads as ever."""
    yield from filter(None, (change.summons, change.bound, "late" if change.late else ""))
    if change.left:
        yield from (change.reason, change.left.isoformat())
    for message in (change.planned, change.work, change.breach):
        if message is not None:
            yield sha256(message.SerializeToString(deterministic=True)).hexdigest()


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
            yield Change(FLAG_SET, cause, now, now, version=file.flag.version, effective=start)
        if (FLAG_SET, cause) in told and end is not None and end <= now and not episode.merged:
            yield _cleared(cause, now)._replace(version=file.flag.version, effective=end)


def _identified(file: CaseFile, told: Collection[Key], now: datetime) -> Iterator[Change]:
    """Who becomes a PPO while inside: the prison that holds them must come to know it."""
    for episode in file.episodes:
        cause, (start, end) = episode.registration_id, span(episode)
        # A further registration begins the journey anew.
        prison = file.state(start - start.resolution).prison
        live = start <= now and (end is None or now < end)
        if prison and (live or (IDENTIFIED, cause) in told):
            recorded = episode.recorded_time.ToDatetime(UTC)
            yield Change(IDENTIFIED, cause, start, recorded, prison=prison)


def _movements(file: CaseFile, now: datetime) -> Iterator[Change]:
    """What happened before somebody was a PPO, or after, is nobody's business here."""
    move = _on_the_way(file)
    for change in changes.of_journey(file.steps):
        if flagged_at(change.occurred, file.spans):
            yield _whole(file, change, move, now)
        elif change.left and flagged_at(change.left, file.spans):
            late = _late(file, change.left, change.occurred)
            yield change._replace(occurred=change.left, prison="", late=late)


def _whole(file: CaseFile, change: Change, move: Transfer | None, now: datetime) -> Change:
    if change.type == pb.NOTICE_TYPE_PRISON_RECEPTION:
        return change._replace(tenancy=file.tenancy(change.occurred))
    if change.type == pb.NOTICE_TYPE_RELEASED:
        stay = next((one for one in file.stays if one[1] == change.occurred), None)
        return change._replace(planned=_standing(file, *stay)) if stay else change
    if move and move.left and move.id == change.cause:
        return change._replace(late=_late(file, move.left.occurred, now))
    return change


def _on_the_way(file: CaseFile) -> Transfer | None:
    """The transfer that nobody has ended yet."""
    here = file.steps[-1].state if file.steps else State()
    return transfers(file.steps)[-1] if in_transit(here) else None


def _recall_asked(file: CaseFile) -> Fact | None:
    """The first that asked for the recall that nobody has carried out yet."""
    asked = (
        step.fact for step in takewhile(lambda step: step.state.recall == REQUESTED, reversed(file.steps))
    )
    found = list(asked)
    return found[-1] if found and flagged_at(found[-1].occurred, file.spans) else None


def _recall_limit(file: CaseFile, asked: Fact) -> datetime:
    return asked.occurred + timedelta(hours=file.limits.recall_hours)


def _limit(file: CaseFile, left: datetime) -> datetime:
    return left + timedelta(hours=file.limits.transit_hours)


def _late(file: CaseFile, left: datetime, until: datetime) -> bool:
    """Nobody received them by the limit, while they were on the register."""
    limit = _limit(file, left)
    return limit <= until and flagged_at(limit, file.spans)


def _custody(file: CaseFile) -> Iterator[Change]:
    """Custody tells of PPOs alone, by what the register said then; an annulled one never was a PPO."""
    if not file.spans:
        return
    for arrest in file.of(custody.PpoArrested):
        yield changes.arrested(arrest, trigger=file.trigger(arrest))
    for test in file.of(custody.PpoDrugTested):
        if test.drug_test.route == custody_pb2.REFERRAL_ROUTE_PPO_DRUG_TEAM:
            yield changes.tested(test)


def _breaches(file: CaseFile) -> Iterator[Change]:
    """Steps that took effect: an order was breached, a recall was asked for or carried out."""
    stages = {entry.id: told for entry, told in file.stages()}
    before = State()
    for step in file.steps:
        kind, fact = BREACHES.get(step.fact.event), step.fact
        if kind is not None and not step.impossible and flagged_at(fact.occurred, file.spans):
            stage = stages[fact.id]
            breach = notice_pb2.Breach(
                order_kind=before.supervision or "LICENCE", reason_code=stage.reason_code
            )
            breach.occurred_time.FromDatetime(fact.occurred)
            told = Change(kind, fact.cause, fact.occurred, fact.recorded, breach=breach)
            yield told._replace(court=stage.court_id, court_reference=stage.court_reference)
        before = step.state


def _planned(file: CaseFile) -> Iterator[Change]:
    """One notice for all the dates that a stay in custody is given, and one for each time that it is lost."""
    for received, released in _stays(file):
        standing: Plan | None = None
        for entry, plan in file.plans(received, released):
            if plan is None and standing is not None:
                yield _lost(file, entry, standing)
            standing = plan
        if standing is not None:
            yield _prepared(file, RELEASE_PLANNED, (received, released), standing)


def _prepared(
    file: CaseFile, kind: NoticeType, stay: tuple[datetime, datetime | None], plan: Plan, ahead: str = ""
) -> Change:
    """What there is to know of a release that is planned."""
    received, released = stay
    entry = file.told_plans(received, released)[-1][0]
    planned = _standing(file, received, released)
    if planned is not None:
        planned.ahead = ahead
    return Change(
        kind,
        f"stay since {received.isoformat()}{f'/{ahead}' if ahead else ''}",
        days.midnight(plan.release),
        entry.recorded,
        prison=file.state(released or datetime.max.replace(tzinfo=UTC)).prison,
        planned=planned,
        due=days.midnight(plan.release) if ahead else None,
    )


def _standing(file: CaseFile, received: datetime, released: datetime | None) -> notice_pb2.Release | None:
    """The latest that was planned in a stay, unless it was lost."""
    plans = file.told_plans(received, released)
    if not plans or not plans[-1][1].HasField("release_date"):
        return None
    told = plans[-1][1]
    given = told.release_date
    return notice_pb2.Release(
        release_date=days.proto(file.discharge(date(given.year, given.month, given.day))),
        licence=told.licence if told.HasField("licence") else None,
        condition_codes=told.condition_codes,
        area=told.ocu,
        address_confirmed=bool(told.ocu),
        arrangements=told.arrangements if told.HasField("arrangements") else None,
        outstanding_needs=told.outstanding_needs,
    )


def _stays(file: CaseFile) -> Iterator[tuple[datetime, datetime | None]]:
    return (stay for stay in file.stays if flagged_at(stay[0], file.spans))


def _ahead(file: CaseFile, told: Collection[Key], now: datetime) -> Iterator[Change]:
    """Three months before the release and again at 28 days; of a date that is known later at once."""
    for received, released in _stays(file):
        plan = next((one for _, one in reversed(file.plans(received, released))), None)
        if plan is None:
            continue
        until = min(now, released) if released else now
        first, last = before_release(plan.release)
        for one in (first, last):
            change = _prepared(file, PRE_RELEASE, (received, released), plan, one.words)
            overtaken = one is first and last.at <= until and (PRE_RELEASE, change.cause) not in told
            if one.at <= until and not overtaken:
                yield change


def _handed_over(file: CaseFile) -> Iterator[Change]:
    """What somebody has learnt in prison goes with them: to another prison, and out once a date is known."""
    for received, released in _stays(file):
        entry, work = file.work(received, released)
        if entry is None or work is None:
            continue
        plan = next((one for _, one in reversed(file.plans(received, released))), None)
        if plan or released:
            # Before the release, where its date is known.
            due = days.midnight(plan.release) if plan else released
            cause, held = f"stay since {received.isoformat()}/work", file.state(entry.occurred).prison
            yield Change(HANDOVER, cause, entry.occurred, entry.recorded, prison=held, work=work, due=due)
        for change in changes.of_journey(file.steps):
            within = received <= change.occurred and (released is None or change.occurred <= released)
            done = file.work(received, change.occurred)[1] if within else None
            if change.type == pb.NOTICE_TYPE_PRISON_TRANSFER and done is not None:
                yield change._replace(type=HANDOVER, work=done)


def _reviews(file: CaseFile, told: Collection[Key], now: datetime) -> Iterator[Change]:
    """The latest that has fallen due, and those that were told; of what fell due before nobody is told."""
    today = days.day(now)
    for episode in file.episodes:
        fallen = list(takewhile(lambda on: on <= today, _review_days(file, episode)))
        fresh = [on for on in fallen[-1:] if days.midnight(on) > _since(file, now)]
        for on in fallen:
            cause = f"{episode.registration_id}/{on.isoformat()}"
            if on in fresh or (REVIEW, cause) in told:
                at = days.midnight(on)
                yield Change(REVIEW, cause, at, at, review=on, due=days.midnight(on + days.DAY))


def _since(file: CaseFile, now: datetime) -> datetime:
    return file.known or days.midnight(days.day(now)) - timedelta(seconds=1)


def _review_days(file: CaseFile, episode: flagging.Episode) -> Iterator[date]:
    start, end = span(episode)
    out = [released for _, released in file.stays if released and released >= start]
    anchors = [days.day(one) for one in (start, *out) if end is None or one < end]
    return reviews(anchors, days.day(end) if end else None)


def _turns(file: CaseFile, now: datetime) -> Iterator[datetime]:
    for received, released in _stays(file):
        plan = next((one for _, one in reversed(file.plans(received, released))), None)
        if plan and released is None:
            yield from (one.at for one in before_release(plan.release))
    today = days.day(now)
    for episode in file.episodes:
        coming = next((on for on in _review_days(file, episode) if on > today), None)
        if coming is not None:
            yield days.midnight(coming)
    move = _on_the_way(file)
    if move and move.left:
        yield _limit(file, move.left.occurred)
    if asked := _recall_asked(file):
        yield _recall_limit(file, asked)


def _lost(file: CaseFile, told: Entry, plan: Plan) -> Change:
    return Change(
        pb.NOTICE_TYPE_RELEASE_CANCELLED,
        told.id,
        days.midnight(plan.release),
        told.recorded,
        prison=file.state(told.occurred).prison,
        undoes=(RELEASE_PLANNED,),
    )
