"""What a suite's screens are told, how soon, by whichever replica of custody, whoever else does not read."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ppo.custody.v1 import custody_pb2 as pb
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from ppo.policy.v1 import policy_pb2
from services.runtime import channel
from tests import builders
from tests.integration.custody import running
from tests.integration.custody.running import (
    SECONDS,
    Desk,
    Processes,
    outcome,
    refused,
    somebody,
    until,
)
from tests.integration.custody.test_cases import case, told
from tests.servers import Running

Stream = AsyncIterator[pb.WatchSuiteResponse]


@pytest.fixture(scope="module")
def another(processes: Processes) -> Iterator[Running]:
    """A second replica of custody."""
    replica = processes.another()
    replica.start()
    yield replica
    replica.kill()


@pytest_asyncio.fixture
async def elsewhere(desk: Desk, another: Running) -> CustodyServiceStub:
    """The second replica, as the same officer reaches it."""
    token = desk.processes.token("custody_officer", desk.suite_id)
    wire = channel.connect(another.address, lambda: token)
    return CustodyServiceStub(await desk.stack.enter_async_context(wire))


def watched(stub: CustodyServiceStub, suite_id: str, after: int) -> Stream:
    request = pb.WatchSuiteRequest(suite_id=suite_id, after_number=after, purpose=policy_pb2.PURPOSE_ARREST)
    return aiter(stub.WatchSuite(request, timeout=120, wait_for_ready=True))


async def timed(kind: str, *streams: Stream) -> tuple[list[pb.WatchSuiteResponse], float]:
    """What each stream says next of that kind, and how long after now the last of them had said it."""
    began = time.perf_counter()
    events = await asyncio.gather(*(until(stream, kind) for stream in streams))
    return list(events), time.perf_counter() - began


async def test_the_screens_at_every_replica_have_every_change_and_the_test_says_how_soon(
    desk: Desk, elsewhere: CustodyServiceStub, capsys: pytest.CaptureFixture[str]
) -> None:
    person = somebody()
    nominal_id = await desk.nominal(person)
    here = await desk.watch_from_now()
    detention = await desk.book(person)
    booked = await until(here, "BOOKED_IN")
    screens = [here, watched(elsewhere, desk.suite_id, booked.number)]
    await desk.quiet()
    took: dict[str, float] = {}

    registration = await desk.flag(nominal_id)
    events, took["flag set"] = await timed("ANSWER_CHANGED", *screens)
    assert {outcome(one.detention.answer) for one in events} == {"FLAGGED"}
    await desk.quiet()

    await told(desk.processes, case(nominal_id, "F2"))
    events, took["owner changed"] = await timed("OWNER_CHANGED", *screens)
    assert {one.detention.answer.ownership.owner for one in events} == {"F2"}
    await desk.quiet()

    recalled = case(nominal_id, "F2")
    recalled.recall_requested = True
    await told(desk.processes, recalled)
    events, took["recall requested"] = await timed("INSTRUCTIONS_CHANGED", *screens)
    assert {one.detention.instructions.recall[0].rule for one in events} == {"I11"}
    await desk.quiet()

    other_suite = "F1" if desk.suite_id != "F1" else "F2"
    async with running.desk(desk.processes, other_suite) as other:
        await other.book(person)
        events, took["arrested elsewhere"] = await timed("HELD_ELSEWHERE", *screens)
    assert [list(one.detention.elsewhere_suite_ids) for one in events] == [[other_suite]] * 2
    await desk.quiet()

    await desk.annul(registration)
    events, took["flag cleared"] = await timed("ANSWER_CHANGED", *screens)
    assert {outcome(one.detention.answer) for one in events} == {"NOT_FLAGGED"}
    assert {one.detention.detention_id for one in events} == {detention.detention_id}
    with capsys.disabled():
        sys.stdout.write(", ".join(f"{change} {seconds:.3f} s" for change, seconds in took.items()) + "\n")


async def test_a_screen_goes_on_at_another_replica_from_the_last_event_it_has_seen(
    desk: Desk, elsewhere: CustodyServiceStub
) -> None:
    here = await desk.watch_from_now()
    seen = [(await desk.book(somebody())).detention_id for _ in range(2)]
    last = [await until(here, "BOOKED_IN") for _ in seen][-1]

    desk.processes.custody.kill()
    resumed = watched(elsewhere, desk.suite_id, last.number)
    desk.processes.custody.start()
    later = [(await desk.book(somebody())).detention_id for _ in range(3)]

    events = [await until(resumed, "BOOKED_IN") for _ in later]
    assert [one.detention.detention_id for one in events] == later
    assert [one.number for one in events] == [last.number + place for place in (1, 2, 3)]


async def test_screens_that_never_read_hold_back_nobody_however_much_waits_for_them(desk: Desk) -> None:
    asleep = [await desk.watch() for _ in range(20)]
    # Each has read one event, and then nothing more: its window fills up.
    stream = await desk.watch_from_now()
    for one in asleep:
        await anext(one)
    verbose = somebody(aliases=[builders.name("x" * 300, f"alias {place}") for place in range(20)])

    booked = [(await desk.book(verbose)).detention_id for _ in range(30)]

    assert [(await until(stream, "BOOKED_IN")).detention.detention_id for _ in booked] == booked
    async with asyncio.timeout(SECONDS):
        while (await anext(asleep[0])).detention.detention_id != booked[-1]:
            pass


async def test_a_screen_of_a_suite_that_there_is_not_is_refused(desk: Desk) -> None:
    async with refused("INVALID_ARGUMENT", "suite_id"):
        await anext(watched(await desk.custody(), "ZZ", 0))


@pytest.mark.timeout(120)
async def test_a_screen_that_is_gone_without_a_word_is_let_go(desk: Desk) -> None:
    stub = """
import asyncio, sys
from ppo.custody.v1.custody_pb2 import WatchSuiteRequest
from ppo.custody.v1.custody_pb2_grpc import CustodyServiceStub
from services.runtime import channel

async def main(address, token, suite):
    async with channel.connect(address, lambda: token) as wire:
        request = WatchSuiteRequest(suite_id=suite, purpose=1)
        async for event in CustodyServiceStub(wire).WatchSuite(request):
            print(event.number, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""
    await desk.book(somebody())
    before = await screens(desk)
    token = desk.processes.token("custody_officer", desk.suite_id)
    address = desk.processes.custody.address
    client = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", stub, address, token, desk.suite_id), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert client.stdout is not None
        assert await client.stdout.readline()
        watching = await screens(desk)
        # Its connection stands, and nobody answers there any more.
        client.send_signal(signal.SIGSTOP)
        while await screens(desk) == watching:
            await asyncio.sleep(0.5)
    finally:
        client.kill()
        await client.wait()

    assert await screens(desk) == before


async def screens(desk: Desk) -> float:
    return await desk.processes.metric("ppo_custody_screens", of="custody")
