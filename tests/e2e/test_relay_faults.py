"""Tracking, Kafka and PostgreSQL are killed, and the wire cut, while movements come: every notice once."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from random import Random, SystemRandom

import pytest

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.broker import Producer
from tests.conftest import Say
from tests.e2e.prisons import Prisons, Said
from tests.e2e.recipients import Recipients
from tests.e2e.stage import MOMENTS, Stage, Strike, ends, staged, strikes
from tests.integration.tracking.running import MOVEMENTS, Ppo
from tests.servers import Servers

SEED = 1805
# Kills and cuts; after each round of them all is awaited and held against the ledger.
ROUND = 60
ROUNDS, LONG_ROUNDS = 1, 17
# Who moves in a round: each is flagged for it.
PEOPLE = 200
REPEATS = 100
# By which a broken inbox or outbox is found at the latest, and as what.
BEFORE_COMMIT = [MOMENTS[0]] * 3
FOUND = {
    "skip_inbox": {"facts of movements"},
    "commit_early": {"facts of movements", "told otherwise"},
    "publish_early": {"not heard", "not in the ledger"},
}


@pytest.fixture
def own() -> Iterator[Servers]:
    """Servers of this test alone, for it kills them."""
    servers = Servers({})
    yield servers
    servers.close()


@pytest.fixture
def mutation() -> str:
    return ""


@pytest.fixture
def stage(own: Servers, tmp_path: Path, mutation: str) -> Iterator[Stage]:
    with staged(own, tmp_path, mutation) as stage:
        yield stage


@dataclass
class Play:
    """Round after round on one stage."""

    stage: Stage
    prisons: Prisons
    recipients: Recipients
    say: Say
    kills: int = 0

    async def round(self, all_strikes: Sequence[Strike]) -> dict[str, Sized]:
        """What is wrong after it."""
        began = time.monotonic()
        await self._flag()
        for what in all_strikes:
            await self.stage.strike(what, self.prisons)
        await self.stage.whole()
        await self.stage.all_taken()
        await self.prisons.repeat(REPEATS)
        await self.stage.all_taken()
        faults = await self.recipients.faults() | self._faults()
        self.kills += len(all_strikes)
        self.say(
            f"{self.kills:,} kills and cuts, {len(self.prisons.sent):,} movements,"
            f" {self.recipients.notices:,} notices; {time.monotonic() - began:.0f} s"
        )
        return {what: which for what, which in faults.items() if which}

    async def _flag(self) -> None:
        await self.prisons.flag([Ppo() for _ in range(PEOPLE)])
        flagged = [(len(self.prisons.caused),)]
        await self.stage.settled(lambda: self.stage.asked("SELECT count(*) FROM tracking.person") == flagged)

    def _faults(self) -> dict[str, Sized]:
        with self.stage.admin() as admin:
            dead = ends(admin, f"{MOVEMENTS}.dead")
        [(facts,)] = self.stage.asked("SELECT count(*) FROM tracking.fact")
        sent, caused, told = len(self.prisons.sent), self.prisons.caused, self.recipients.told()
        return {
            "dead letters": dead,
            "facts of movements": {sent: facts} if sent != facts else {},
            "told otherwise": {one: wrong for one in caused if (wrong := _otherwise(caused[one], told[one]))},
        }


def _otherwise(caused: Counter[Said], told: Counter[Said]) -> dict[str, Counter[Said]]:
    """Too much, and too little; what took longer than its hold to take effect was never provisional."""
    less = Counter({said: n for said, n in (caused - told).items() if said[2] != pb.NOTICE_STATE_PROVISIONAL})
    return {what: said for what, said in (("more", told - caused), ("less", less)) if said}


@pytest.fixture
async def play(stage: Stage, torture: bool, say: Say) -> AsyncIterator[Play]:
    seed = SystemRandom().getrandbits(32) if torture else SEED
    say(f"seed {seed}")
    producer = Producer(stage.processes.kafka, mock=False)
    yield Play(stage, Prisons(producer, Random(seed)), Recipients(stage), say)
    await producer.close()


@pytest.mark.timeout(14_400)
async def test_whoever_is_killed_every_notice_is_there_once_and_in_order(play: Play, torture: bool) -> None:
    for _ in range(LONG_ROUNDS if torture else ROUNDS):
        assert await play.round(strikes(ROUND, play.prisons.chance)) == {}


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("long_form")
@pytest.mark.parametrize("mutation", FOUND)
async def test_an_inbox_or_outbox_that_is_broken_is_found(play: Play, mutation: str) -> None:
    assert FOUND[mutation] <= {*await play.round(BEFORE_COMMIT)}
