"""`ppo demo`: the main job on real input, in a suite of its own that is gone afterwards."""

import asyncio
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from deploy.embedded import backing, control, ports
from deploy.embedded.process import StackError
from deploy.embedded.services import SERVICES
from services.console import details, output, story
from services.console.stage import chapter
from services.console.stop import Stop

WORKBOOK = Path("birmingham-2004-12.xlsx")
CLOCK_START = "2004-12-31T20:00"


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the suite running, to go on by hand.")] = False,
    workbook: Annotated[
        Path, typer.Option(dir_okay=False, help="Where the month's return is written to.")
    ] = WORKBOOK,
) -> int:
    """Shows the main job from end to end, in a suite of its own: an arrest gets its flag, a month its return.

    Starts everything on free ports and in a temporary directory, on the evening of 31 December 2004, loads
    20,000 nominals and Birmingham's PPOs, all made up, books people in, sets a flag while its person is in
    the suite, takes the register away and gives it back. Then prisons send a day of movements, every agency
    is told its part, and December is closed and written as a workbook. It takes two minutes or three.
    Ctrl-C ends it.

    ```
    ppo demo
    ppo demo --keep --workbook /tmp/december.xlsx
    ```

    Exit code 0 when everything was as it should be, 1 when not.
    """
    began = time.monotonic()
    with _suite(keep=keep) as data:
        asyncio.run(story.tell(data, workbook.absolute()))
        output.show(f"\nAll of it was as it should be. The demo took {time.monotonic() - began:.0f} seconds.")
        _next(data, keep=keep)
    return 0


@contextmanager
def _suite(*, keep: bool) -> Iterator[Path]:
    data = Path(tempfile.mkdtemp(prefix="ppo-demo-"))
    # However it is told to end, it ends as at Ctrl-C: with nothing left running.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    try:
        output.show("An evening in a custody suite in Birmingham. Everybody in it is made up.")
        chapter("The suite starts: PostgreSQL, Redis, Kafka and the services, all on this machine")
        start = details.when(CLOCK_START, "")
        control.launch(backing.Options(data=data, offset=free_offset(), clock_start=start), _step)
        yield data
    except (Stop, StackError):
        _stop(data)
        output.say(f"Everything is stopped. What its processes logged stays in {data / 'logs'}")
        raise
    except BaseException:
        _clear(data)
        raise
    if not keep:
        _clear(data)


def _step(line: str) -> None:
    output.show(f"  {line}")


def _stop(data: Path) -> None:
    # A second Ctrl-C must not break off what the first one asked for.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    control.down(data)


def _clear(data: Path) -> None:
    _stop(data)
    shutil.rmtree(data)
    output.show("Everything is stopped, and the demo's data is gone.")


def free_offset() -> int:
    """At which every port of the suite is free, so that a suite that runs here is not disturbed."""
    # Above 11,000 the services' ports, 50051 and up, leave the range that the kernel gives to outgoing
    # connections (32768 to 60999), so that none takes one between this look and the service's start.
    servers = (backing.POSTGRES_PORT, backing.REDIS_PORT, backing.KAFKA_PORT, backing.CONTROLLER_PORT)
    wanted = [*servers, *(port for service in SERVICES for port in (service.port, service.metrics))]
    while True:
        offset = random.randrange(11_000, 15_000)
        if not any(ports.taken(port + offset) for port in wanted):
            return offset


def _next(data: Path, *, keep: bool) -> None:
    output.show(_KEPT.format(data=data) if keep else _GONE)


_KEPT = """
The suite runs on. Point the commands at it, and go on by hand:
  export PPO_DATA={data}
  ppo desk --suite E3      ppo custody watch E3      ppo register list      ppo status
  ppo notices watch BMI    ppo return show birmingham 2004-12
  ppo down --purge         when you have seen enough"""
_GONE = """
What to look at next:
  ppo demo --keep          the same, and the suite stays up for you to go on
  ppo up                   a suite of your own; then ppo desk, ppo status, ppo --help
  README.md                what it is, and the picture of the flow
  docs/requirements.md     which need of the programme is met by what
"""
