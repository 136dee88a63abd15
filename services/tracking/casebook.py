"""The case files that one transaction works on: read together, changed in memory, written together."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import movement_pb2, notice_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.database import lock_all
from services.runtime.outbox import Event
from services.runtime.reference import Reference
from services.tracking import corrections
from services.tracking.casefile import CaseFile, Entry, Tenure, members
from services.tracking.evidence import Limits
from services.tracking.lateness import begins
from services.tracking.models import Delivery, Person, due, outbox
from services.tracking.store import casebook as store
from services.tracking.store import lateness, notices, numbering, reviews
from services.tracking.store.casebook import FactRow, NoticeRow, OwnershipRow
from services.tracking.store.facts import MERGE
from services.tracking.store.numbering import Sending

SETTLE, OVERDUE = "settle", "overdue"
# Few enough that no call waits long for one of them, on a busy machine either.
DUE_TOGETHER = 20
TICK = timedelta(microseconds=1)
# Nobody waits as long for the lock of a person.
LOCKED = timedelta(minutes=1)


class Doubt(NamedTuple):
    """What is to be looked at, by its subject: a fact, the case, a merge of numbers."""

    kind: str
    reason: str = ""
    # Somebody has looked at it.
    resolved: bool = False


@dataclass
class Held:
    """All that is recorded of a person and of those who live on in them."""

    person: Person
    older: list[Person]
    entries: list[Entry]
    stages: list[tuple[datetime, int]]
    standing: list[OwnershipRow]
    reviews: dict[str, Doubt]
    notices: list[NoticeRow]
    due: datetime | None
    # Those whom the flag tells of still, and who by a later flag of their own are themselves again.
    apart: Collection[str] = ()

    def __post_init__(self) -> None:
        self.stages_before, self.standing_before = self.stages, self.standing
        self.reviews_before, self.due_before = self.reviews, self.due
        self.version_before = self.person.case_version
        # When what is changed of the ownership now was so recorded.
        self.recorded = datetime.max.replace(tzinfo=UTC)
        self.revisions_before = {notice.notice_id: notice.revision for notice in self.notices}

    @cached_property
    def nominal_id(self) -> str:
        return self.person.nominal_id

    @cached_property
    def flag(self) -> flagging.Flag:
        flag = self.person.to_flag()
        own = [episode for episode in flag.episodes if episode.nominal_id not in self.apart]
        del flag.episodes[:]
        flag.episodes.extend(own)
        return flag

    @cached_property
    def merges(self) -> tuple[datetime, ...]:
        """When other nominals were found to be this person."""
        told = (merge for one in self.older for merge in one.to_flag().merges)
        return tuple(
            sorted(one.merged_time.ToDatetime(UTC) for one in told if not one.HasField("unmerged_time"))
        )

    def file(self, reference: Reference, limits: Limits) -> CaseFile:
        return CaseFile(
            self.flag, tuple(self.entries), reference, limits, self.merges, self.person.known_time
        )

    def corrected(self, movement: movement_pb2.Movement) -> datetime | None:
        """When the movement was taken back, by what came before it."""
        by = (
            entry.recorded
            for entry in self.entries
            if isinstance(entry.message, movement_pb2.Movement)
            and entry.message.corrects_movement_id == movement.movement_id
        )
        return min(by, default=None)

    def after_others(self, recorded: datetime) -> datetime:
        """Later than any movement of the person that came first: what is told under that one goes on so.

        A batch has one time, and whoever waited for the lock has read the clock before who came first had.
        What has waited for its number keeps its time.
        """
        before = (
            entry.recorded for entry in self.entries if isinstance(entry.message, movement_pb2.Movement)
        )
        last = max(before, default=recorded - TICK)
        return last + TICK if recorded <= last < recorded + LOCKED else recorded

    def owned(self, at: datetime) -> OwnershipRow | None:
        return next((row for row in reversed(self.standing) if row.effective_time <= at), None)

    def set_ownership(self, tenures: Sequence[Tenure], now: datetime) -> list[pb.OwnershipCorrection]:
        """In the place of rows that do not stand any more, those that do; returns what that corrects."""
        told = {tenure.start: tenure.decision.ownership for tenure in tenures}
        # Whoever waited for the person's lock has read the clock before who came first had.
        self.recorded = max((now, *(row.recorded_time for row in self.standing_before)))
        kept = {row.effective_time: row for row in self.standing if _stands(row, told)}
        self.standing = [
            kept.get(start) or _owned(self.nominal_id, start, ownership, self.recorded)
            for start, ownership in told.items()
        ]
        if len({row.owner for row in (*self.standing_before, *self.standing)}) < 2:
            return []
        before, after = ([row.to_period() for row in one] for one in (self.standing_before, self.standing))
        return list(corrections.between(before, after, self.recorded))

    def set_reviews(self, doubts: Iterable[tuple[str, Doubt]]) -> None:
        """What is to be looked at now; a merge stays until it is settled, and what was settled stays so.

        Only for another reason somebody must look again.
        """
        stay = {
            subject: doubt for subject, doubt in self.reviews.items() if doubt.resolved or doubt.kind == MERGE
        }
        for subject, doubt in doubts:
            before = self.reviews.get(subject)
            stay[subject] = before if before and before.reason == doubt.reason else doubt
        self.reviews = stay


def _owned(nominal_id: str, start: datetime, ownership: pb.Ownership, recorded: datetime) -> OwnershipRow:
    return OwnershipRow(
        nominal_id=nominal_id,
        effective_time=start,
        owner=ownership.owner,
        rule=ownership.rule,
        state=ownership.state,
        recorded_time=recorded,
        ownership=ownership.SerializeToString(),
        home_ocu=ownership.home_ocu,
    )


def _stands(row: OwnershipRow, told: dict[datetime, pb.Ownership]) -> bool:
    ownership = told.get(row.effective_time)
    return ownership is not None and (
        row.ownership == ownership.SerializeToString() or row.to_proto() == ownership
    )


class Casebook:
    """Holds its persons for the transaction, each once and in one order everywhere."""

    def __init__(self, session: AsyncSession, held: Iterable[Held]) -> None:
        self.session = session
        self._held = {one.nominal_id: one for one in held}
        self._facts: list[FactRow] = []
        self._events: list[Event] = []
        self._withdrawn: dict[str, datetime] = {}
        self._united: list[Held] = []
        # By person, when the first of what was sent is overdue.
        self._due: dict[str, datetime] = {}

    @classmethod
    async def open(cls, session: AsyncSession, nominal_ids: Collection[str]) -> "Casebook":
        await lock_all(session, nominal_ids)
        found = await store.persons(session, nominal_ids)
        families = await _families(session, found)
        ids = [person.nominal_id for person in found]
        everybody = [*ids, *(older.nominal_id for one in families.values() for older in one)]
        entries = await store.entries(session, everybody)
        told: dict[str, list[NoticeRow]] = {}
        for notice in await store.notices(session, everybody):
            told.setdefault(notice.nominal_id, []).append(notice)
        stages = await store.stages(session, ids)
        standing = await store.standing(session, ids)
        looked_at = await store.reviews(session, ids)
        due = await store.due_times(session, SETTLE, ids)
        apart = await on_their_own(session, found, families)
        held = []
        for person in found:
            own = person.nominal_id
            family = [own, *(one.nominal_id for one in families[own])]
            held.append(
                Held(
                    person,
                    families[own],
                    _in_order(entry for one in family for entry in entries.get(one, ())),
                    stages.get(own, []),
                    standing.get(own, []),
                    {subject: Doubt(*told) for subject, told in looked_at.get(own, {}).items()},
                    [notice for one in family for notice in told.get(one, ())],
                    due.get(own),
                    apart,
                )
            )
        return cls(session, held)

    def of(self, nominal_id: str) -> Held | None:
        """None for somebody whom the flags topic has not brought yet."""
        return self._held.get(nominal_id)

    def corrected(self, held: Held, entry: Entry, movement: movement_pb2.Movement) -> Entry:
        """Withdraws what a movement corrects. What corrects it may have come before it."""
        if movement.corrects_movement_id:
            self._withdraw(held, movement.corrects_movement_id, entry.recorded)
        return entry._replace(withdrawn=held.corrected(movement))

    def record(self, held: Held, entry: Entry, *, nominal_id: str = "", number: str = "") -> None:
        """What is told of a nominal is its own for good; a movement is its prison number's."""
        held.entries.append(entry)
        self._facts.append(
            FactRow(
                entry.id,
                nominal_id or None,
                number or None,
                entry.message.DESCRIPTOR.full_name,
                entry.message.SerializeToString(),
                entry.occurred,
                entry.recorded,
                entry.withdrawn,
            )
        )

    def _withdraw(self, held: Held, movement_id: str, at: datetime) -> None:
        """Under whatever number of this person; one of another person is not its sender's to take back."""
        for place, entry in enumerate(held.entries):
            movement = isinstance(entry.message, movement_pb2.Movement)
            if movement and entry.id == movement_id and entry.withdrawn is None:
                held.entries[place] = entry._replace(withdrawn=at)
                self._withdrawn[movement_id] = at

    def unite(self, held: Held) -> None:
        """The register has found two to be one person: the prison was right to merge their numbers."""
        self._united.append(held)

    def publish(self, event: Event) -> None:
        self._events.append(event)

    def send(self, held: Held, sendings: Sequence[Sending]) -> None:
        numbering.deliver(self.session, sendings)
        asked = [one for one in sendings if one.due_time and one.acknowledged_time is None]
        times = [begins(one.due_time, one.recorded_time) for one in asked if one.due_time]
        if times:
            self.overdue_since(held.nominal_id, min(times))

    def overdue_since(self, nominal_id: str, at: datetime) -> None:
        """Somebody looks at what of the nominal is not acknowledged."""
        self._due[nominal_id] = min(at, self._due.get(nominal_id, at))

    async def recipients(self, notice_ids: Collection[str]) -> Sequence[Delivery | Sending]:
        """The latest record to each organisation that was told any revision of any of these notices."""
        return await notices.recipients(self.session, list(notice_ids))

    async def stands_late(self, causes: Collection[str]) -> bool:
        """Whether something of this is late still: what was acknowledged since nobody needs to hear of."""
        return bool(causes) and await lateness.stands(self.session, causes)

    async def excuse(self, notice_id: str, now: datetime) -> None:
        await lateness.excuse(self.session, notice_id, now)

    async def open_matters(self, held: Held) -> tuple[notice_pb2.OpenMatter, ...]:
        """What others were asked for of the person and have not taken on yet, the most urgent first."""
        family = [held.nominal_id, *(older.nominal_id for older in held.older)]
        return tuple(await notices.open_matters(self.session, family))

    async def write(self, now: datetime) -> None:
        """Each table in one statement."""
        session, all_held = self.session, self._held.values()
        await store.add_facts(session, self._facts)
        await store.withdraw_facts(session, self._withdrawn)
        await self._write_derived(now)
        # One that lives on in another who is held as well has the same rows.
        changed = {one.notice_id: one for held in all_held for one in held.notices}.values()
        before = {one: revision for held in all_held for one, revision in held.revisions_before.items()}
        await store.add_notices(session, [one for one in changed if one.notice_id not in before])
        await store.change_notices(
            session, [one for one in changed if one.revision != before.get(one.notice_id, one.revision)]
        )
        await outbox.append_all(session, self._events)
        await store.set_due_first(session, OVERDUE, self._due)

    async def _write_derived(self, now: datetime) -> None:
        session, all_held = self.session, self._held.values()
        await store.set_stages(session, *_changed_stages(all_held))
        standing = {row for held in all_held for row in held.standing}
        before = {row for held in all_held for row in held.standing_before}
        rows = [(row, held.recorded) for held in all_held for row in held.standing_before]
        await store.supersede(session, [(row.ownership_id, at) for row, at in rows if row not in standing])
        new = [row for held in all_held for row in held.standing if row not in before]
        await store.add_owners(session, new)
        await store.drop_reviews(session, [one for held in all_held for one in _gone_reviews(held)])
        await store.add_reviews(session, [one for held in all_held for one in _new_reviews(held, now)])
        for held in self._united:
            await reviews.unite(session, held.nominal_id, held.person.merged_into or "", now)
        cases = [held.person for held in all_held if held.person.case_version != held.version_before]
        await store.set_cases(session, cases)
        moved = {held.nominal_id: held.due for held in all_held if held.due != held.due_before}
        await due.put_all(session, SETTLE, {one: at for one, at in moved.items() if at is not None})
        await due.drop_all(session, SETTLE, [one for one, at in moved.items() if at is None])


async def _families(session: AsyncSession, found: Sequence[Person]) -> dict[str, list[Person]]:
    """Those that live on in each, through however many merges."""
    heads = {person.nominal_id: [person.nominal_id] for person in found}
    families: dict[str, list[Person]] = {}
    while heads:
        next_heads: dict[str, list[str]] = {}
        for older in await store.merged_into(session, list(heads)):
            for head in heads[older.merged_into or ""]:
                family = families.setdefault(head, [])
                if all(one.nominal_id != older.nominal_id for one in family):
                    family.append(older)
                    next_heads.setdefault(older.nominal_id, []).append(head)
        heads = next_heads
    return {one.nominal_id: together(one, families.get(one.nominal_id, ())) for one in found}


def together(person: Person, older: Sequence[Person]) -> list[Person]:
    """Those of whom the person's flag tells too: until then what is known and told of each is its own."""
    told_of = members(person.to_flag()) if older else ()
    return [one for one in older if one.nominal_id in told_of]


async def on_their_own(
    session: AsyncSession, found: Iterable[Person], families: Mapping[str, Sequence[Person]]
) -> set[str]:
    """Those of whom these flags tell, and who live on in nobody; not who is still to come."""
    older = {one.nominal_id for family in families.values() for one in family}
    told_of = {one for person in found for one in members(person.to_flag())} - older
    known = await store.persons(session, told_of) if told_of else []
    return {person.nominal_id for person in known if person.merged_into is None}


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.occurred, entry.id))


def _changed_stages(
    all_held: Iterable[Held],
) -> tuple[dict[str, datetime], list[tuple[str, datetime, int]]]:
    """From when on each person's are others than were written, and those."""
    since: dict[str, datetime] = {}
    rows: list[tuple[str, datetime, int]] = []
    for held in all_held:
        before, after = held.stages_before, held.stages
        first = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False))))
        if before[first:]:
            since[held.nominal_id] = before[first][0]
        rows += [(held.nominal_id, at, position) for at, position in after[first:]]
    return since, rows


def _gone_reviews(held: Held) -> Iterator[tuple[str, str]]:
    before = held.reviews_before.items()
    return ((held.nominal_id, subject) for subject, doubt in before if held.reviews.get(subject) != doubt)


def _new_reviews(held: Held, now: datetime) -> Iterator[tuple[str, str, str, str, datetime]]:
    for subject, doubt in held.reviews.items():
        if held.reviews_before.get(subject) != doubt:
            yield subject, held.nominal_id, doubt.kind, doubt.reason, now
