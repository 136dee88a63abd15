"""A month is closed: counted at one instant, kept, and sent to the returns service."""

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from google.type.date_pb2 import Date
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.returns.v1 import returns_pb2 as returns
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime import channel, identity
from services.runtime.channel import CallError, Channel
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.errors import Conflict, Illegal, Invalid, Unavailable
from services.runtime.reference import Reference
from services.tracking import counting, days, headcount
from services.tracking.counting import Area, Cell, DrugTest, Listed, Other
from services.tracking.headcount import Head
from services.tracking.models import Closing
from services.tracking.store import months as store

YEARS = range(2000, 2100)
# How long the returns may take, where the caller gives no deadline.
SECONDS = 10.0
TAKEN = (custody_pb2.TEST_RESULT_NEGATIVE, custody_pb2.TEST_RESULT_POSITIVE)


class Months:
    def __init__(self, database: Database, clock: Clock, reference: Reference, connection: Channel) -> None:
        self._database = database
        self._clock = clock
        self._reference = reference
        self._connection = connection
        self._returns = ReturnsServiceStub(connection)

    async def close(self, request: pb.CloseMonthRequest, left: float | None) -> pb.CloseMonthResponse:
        """A repeat sends what was counted first, so that the returns can tell that it is one."""
        month = _month(request.month)
        row = await self._counted(request, month)
        if (row.area, row.month) != (request.area, month):
            raise Conflict(f"request_id {request.request_id} was used for another month")
        cells = _read(row.counts)
        sent = await self._send(row, cells, min(left or SECONDS, SECONDS))
        async with self._database.transaction() as session:
            await store.close(session, row.closing_id, sent.return_id, sent.revision)
        return pb.CloseMonthResponse(return_id=sent.return_id, revision=sent.revision, counts_sent=len(cells))

    async def probe(self) -> None:
        if not await channel.serving(self._connection, 1):
            raise Unavailable("returns")

    async def _counted(self, request: pb.CloseMonthRequest, month: date) -> Closing:
        caller, now = identity.current().subject, self._clock.now()
        area = self._area(request.area, month)
        if now < _end(month):
            raise Illegal("MONTH_NOT_OVER", "a month is closed once it is over")
        async with self._database.snapshot() as session:
            held = await store.closing(session, caller, request.request_id)
            if held is not None:
                return held
            cells = await self._count(session, month, area)
        row = Closing(
            closing_id=str(uuid.uuid4()),
            caller=caller,
            request_id=request.request_id,
            area=request.area,
            month=month,
            cut_off_time=now,
            counts=_written(cells),
        )
        async with self._database.transaction() as session:
            return await store.open_closing(session, row)

    async def _count(self, session: AsyncSession, month: date, area: Area) -> dict[Cell, int]:
        start, end = days.midnight(month), _end(month)
        last = days.shift(month, 1) - timedelta(days=1)
        heads = headcount.heads(
            await store.stretches(session, start, end), await store.merges(session), start, end
        )
        seen = await store.seen(session, heads)
        owners = await store.owned(session, [before for head in heads for before in head.before], start)
        listed = [_listed(head, seen[head.nominal_id], owners) for head in heads if head.nominal_id in seen]
        others = [
            DrugTest(self._ocu(one.suite_id, end), False, one.test_result)
            for one in await store.detentions(session, month, last)
            if one.test_result in TAKEN
        ]
        ppos = [
            DrugTest(self._ocu(one.suite_id, end), True, one.drug_test.result, one.drug_test.drug)
            for one in await store.tests(session, start, end)
            if one.drug_test.result in TAKEN
        ]
        return counting.counted(listed, [*others, *ppos], area)

    async def _send(self, row: Closing, cells: dict[Cell, int], seconds: float) -> returns.Return:
        try:
            answer = await self._returns.RecordReturn(_requests(row, cells), timeout=seconds)
        except CallError as error:
            raise _refusal(error) from None
        return answer.monthly_return

    def _area(self, area: str, month: date) -> Area:
        at = _end(month) - timedelta(microseconds=1)
        row = self._reference.row("areas", area, at=at)
        if row is None:
            raise Invalid("area", "is no area of the reference data in that month")
        ocus = row.texts("ocus")
        teams = self._reference.rows("youth_offending_teams", at=at)
        return Area(ocus, {*ocus, *(team.id for team in teams if set(team.texts("ocus")) & set(ocus))})

    def _ocu(self, suite_id: str, end: datetime) -> str:
        suite = self._reference.row("suites", suite_id, at=end - timedelta(microseconds=1))
        return suite.text("ocu") if suite else ""


def _month(given: Date) -> date:
    if given.year not in YEARS or not given.month:
        raise Invalid("month", "is no month between 2000 and 2099")
    return date(given.year, given.month, 1)


def _end(month: date) -> datetime:
    return days.midnight(days.shift(month, 1))


def _listed(head: Head, seen: Row[Any], owners: Mapping[str, str]) -> Listed:
    return Listed(
        person=flagging.Flag.FromString(seen.flag).person,
        strand=head.strand,
        snapshot=head.snapshot,
        before=bool(head.before),
        at_end=head.at_end,
        added=head.added,
        removals=head.removals,
        position=seen.position,
        nominating_ocu=head.nominating_ocu,
        owner=seen.owner,
        owner_before=owners[head.before[0].nominal_id] if head.before else "",
        merged=[Other(one.strand, one.nominating_ocu, owners[one.nominal_id]) for one in head.before[1:]],
        parted=head.was_on and not head.before,
    )


async def _requests(row: Closing, cells: dict[Cell, int]) -> AsyncIterator[returns.RecordReturnRequest]:
    heading = returns.Heading(
        area=row.area,
        month=Date(year=row.month.year, month=row.month.month),
        tool_version=counting.TOOL_VERSION,
    )
    heading.cut_off_time.FromDatetime(row.cut_off_time)
    yield returns.RecordReturnRequest(request_id=row.closing_id, heading=heading)
    for count in _counts(cells):
        yield returns.RecordReturnRequest(request_id=row.closing_id, count=count)
    yield returns.RecordReturnRequest(request_id=row.closing_id, counts_sent=len(cells))


def _counts(cells: dict[Cell, int]) -> Iterator[returns.Count]:
    for cell, value in cells.items():
        yield returns.Count(
            measure=cell.measure, breakdown=cell.breakdown, category=cell.category, value=value
        )


def _written(cells: dict[Cell, int]) -> bytes:
    return "\n".join("\t".join((*cell, str(value))) for cell, value in cells.items()).encode()


def _read(counts: bytes) -> dict[Cell, int]:
    rows = (line.split("\t") for line in counts.decode().split("\n"))
    return {Cell(*cell): int(value) for *cell, value in rows}


def _refusal(error: CallError) -> Exception:
    """What the returns refuse is refused here; anything else is an outage of theirs."""
    reason = channel.reason(error)
    if reason and not reason.endswith("_UNAVAILABLE"):
        return Illegal(reason, str(error.details()))
    if violations := channel.violations(error):
        field, rule = violations[0]
        return Invalid(field, rule)
    return Unavailable("returns")
