"""The returns service as a test drives it: in this process, through its gate, on its own database."""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from google.type.date_pb2 import Date

from ppo.returns.v1 import returns_pb2 as pb
from ppo.returns.v1.returns_pb2_grpc import ReturnsServiceStub, add_ReturnsServiceServicer_to_server
from services.returns import months
from services.returns.__main__ import SERVICE
from services.returns.api import Returns
from services.returns.areas import NEEDS, Areas
from services.returns.deadlines import Deadlines
from services.returns.definitions import Cell
from services.returns.models import SCHEMA
from services.runtime import channel
from services.runtime.clock import Clock
from services.runtime.database import Database
from services.runtime.identity import Caller, Verifier, issue
from services.runtime.reference import Reference
from services.runtime.rpc import Gate
from services.runtime.server import Server
from services.runtime.settings import Address
from tests.unit.returns.builders import december, messages

BIRMINGHAM = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
# Sunday, with two working days to go before the return of December is due.
NOW = datetime(2005, 1, 9, 12, tzinfo=UTC)
DECEMBER, JANUARY = Date(year=2004, month=12), Date(year=2005, month=1)
SECONDS = 10

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class Still(Clock):
    """Domain time stands where the test puts it."""

    def __init__(self, at: datetime) -> None:
        super().__init__()
        self.at = at

    def now(self) -> datetime:
        return self.at


@dataclass
class Service:
    database: Database
    clock: Still
    deadlines: Deadlines
    stack: AsyncExitStack
    port: int
    stubs: dict[str, ReturnsServiceStub] = field(default_factory=dict)

    @classmethod
    async def start(cls, url: str, stack: AsyncExitStack, reference: Path = BIRMINGHAM) -> "Service":
        database, clock = Database(url, SCHEMA), Still(NOW)
        stack.push_async_callback(database.close)
        areas = Areas(Reference.load(reference, needs=NEEDS))
        server = Server(
            Address("127.0.0.1", 0), Gate(Verifier(PUBLIC), [SERVICE]), [SERVICE], {}, frozenset()
        )
        add_ReturnsServiceServicer_to_server(Returns(database, clock, areas), server.grpc)
        await server.start(None)
        stack.push_async_callback(server.stop)
        return cls(database, clock, Deadlines(database, clock, areas), stack, server.port)

    async def stub(self, role: str = "returns_officer") -> ReturnsServiceStub:
        if role not in self.stubs:
            token = issue(
                PRIVATE, Caller(f"{role}-1", role, "birmingham", datetime.now(UTC) + timedelta(hours=1))
            )
            wire = channel.connect(f"127.0.0.1:{self.port}", lambda: token)
            self.stubs[role] = ReturnsServiceStub(await self.stack.enter_async_context(wire))
        return self.stubs[role]

    async def record(self, counts: dict[Cell, int] | None = None, **changes: Any) -> pb.Return:
        sent = stream(december() if counts is None else counts, **changes)
        return await self.record_messages(sent)

    async def record_messages(self, sent: Iterable[pb.RecordReturnRequest]) -> pb.Return:
        tracking = await self.stub("service_tracking")
        return (await tracking.RecordReturn(iter(sent), timeout=SECONDS)).monthly_return

    async def record_all(
        self, given: Mapping[str, dict[Cell, int]], request_id: str = "", sent: int | None = None
    ) -> list[pb.RecordedReturn]:
        """By area."""
        tracking, request_id = await self.stub("service_tracking"), request_id or str(uuid4())
        messages = several(given, request_id, len(given) if sent is None else sent)
        return list((await tracking.RecordReturns(iter(messages), timeout=SECONDS)).returns)

    async def submit(self, one: pb.Return, **changes: Any) -> pb.Return:
        named: dict[str, Any] = {"return_id": one.return_id, "revision": one.revision}
        request = pb.SubmitReturnRequest(**({"request_id": str(uuid4())} | named | changes))
        return (await (await self.stub()).SubmitReturn(request, timeout=SECONDS)).monthly_return

    async def get(self, month: Date = DECEMBER, revision: int = 0) -> pb.GetReturnResponse:
        request = pb.GetReturnRequest(area="birmingham", month=month, revision=revision)
        return await (await self.stub()).GetReturn(request, timeout=SECONDS)

    async def listed(self) -> list[pb.Return]:
        return list((await (await self.stub()).ListReturns(pb.ListReturnsRequest(), timeout=SECONDS)).returns)

    async def measures(self, first: Date, last: Date) -> list[pb.StreamHeadlineMeasuresResponse]:
        request = pb.StreamHeadlineMeasuresRequest(area="birmingham", first_month=first, last_month=last)
        office = await self.stub("home_office")
        return [one async for one in office.StreamHeadlineMeasures(request, timeout=SECONDS)]

    async def workbook(self, revision: int = 0) -> list[bytes]:
        return await self.parts(revision=revision)

    async def parts(self, **asked: Any) -> list[bytes]:
        request = pb.ExportReturnRequest(**({"area": "birmingham", "month": DECEMBER} | asked))
        officer = await self.stub()
        return [one.part async for one in officer.ExportReturn(request, timeout=SECONDS)]

    async def add(self, one: pb.Return, *additions: pb.Addition) -> pb.Return:
        request = pb.AddFiguresRequest(
            request_id=str(uuid4()), return_id=one.return_id, revision=one.revision, additions=additions
        )
        return (await (await self.stub()).AddFigures(request, timeout=SECONDS)).monthly_return

    async def check(self, one: pb.Return) -> pb.Return:
        request = pb.CheckDraftRequest(
            request_id=str(uuid4()), return_id=one.return_id, revision=one.revision
        )
        return (await (await self.stub()).CheckDraft(request, timeout=SECONDS)).monthly_return

    async def query(self, one: pb.Return, question: str) -> pb.Return:
        request = pb.QueryReturnRequest(
            request_id=str(uuid4()), return_id=one.return_id, revision=one.revision, question=question
        )
        office = await self.stub("home_office")
        return (await office.QueryReturn(request, timeout=SECONDS)).monthly_return

    async def answer(self, one: pb.Return, answer: str) -> pb.Return:
        request = pb.AnswerQueryRequest(
            request_id=str(uuid4()), return_id=one.return_id, revision=one.revision, answer=answer
        )
        return (await (await self.stub()).AnswerQuery(request, timeout=SECONDS)).monthly_return

    async def accept(self, one: pb.Return) -> pb.Return:
        request = pb.AcceptReturnRequest(
            request_id=str(uuid4()), return_id=one.return_id, revision=one.revision
        )
        office = await self.stub("home_office")
        return (await office.AcceptReturn(request, timeout=SECONDS)).monthly_return


def stream(counts: dict[Cell, int], **changes: Any) -> list[pb.RecordReturnRequest]:
    """`changes` are of the heading, but for the request_id."""
    request_id = changes.pop("request_id", str(uuid4()))
    month = changes.get("month", DECEMBER)
    end = months.end(date(month.year, month.month, 1))
    tool = "2" if month.year > 2004 else "1"
    heading = {"area": "birmingham", "month": month, "cut_off_time": months.stamp(end), "tool_version": tool}
    return [
        pb.RecordReturnRequest(request_id=request_id, heading=pb.Heading(**(heading | changes))),
        *(pb.RecordReturnRequest(request_id=request_id, count=count) for count in messages(counts)),
        pb.RecordReturnRequest(request_id=request_id, counts_sent=len(counts)),
    ]


def several(
    given: Mapping[str, dict[Cell, int]], request_id: str, sent: int
) -> list[pb.RecordReturnsRequest]:
    """Each heading with half of its counts, and then the others."""
    found = []
    for area, counts in given.items():
        cells, half = messages(counts), len(counts) // 2
        heading = stream({}, area=area)[0].heading
        found.append(pb.RecordReturnsRequest(request_id=request_id, heading=heading, counts=cells[:half]))
        found.append(pb.RecordReturnsRequest(request_id=request_id, counts=cells[half:]))
    return [*found, pb.RecordReturnsRequest(request_id=request_id, returns_sent=sent)]


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value
