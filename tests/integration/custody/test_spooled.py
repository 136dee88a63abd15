"""Decisions made while the database is away: kept through kills, and stored in the order they were made."""

import asyncio

from ppo.custody.v1 import custody_pb2 as pb
from tests.integration.custody.running import Desk, somebody
from tests.integration.custody.test_outages import database_away, kept


async def test_no_decision_is_lost_or_out_of_order_however_often_custody_is_killed(desk: Desk) -> None:
    ppo = somebody()
    await desk.flagged(ppo)
    given: list[pb.Answer] = []

    with database_away(desk.processes):
        for _ in range(3):
            # Several at once, and then the end.
            given += [await desk.check(ppo)]
            together = await asyncio.gather(*(desk.check(somebody()) for _ in range(5)))
            given += sorted(together, key=lambda answer: answer.answered_time.ToDatetime())
            desk.processes.custody.kill()
            desk.processes.custody.start()
    # And once more in the middle of storing them.
    desk.processes.custody.kill()
    desk.processes.custody.start()
    given += [await desk.check(ppo)]

    rows = await kept(desk.processes, *given)
    assert len({row["decision_id"] for row in rows}) == len(given) == 19
    rounds = [[row["decision_id"] for row in rows][place * 6 : place * 6 + 6] for place in range(3)]
    for place, stored_round in enumerate(rounds):
        assert {*stored_round} == {one.decision_id for one in given[place * 6 : place * 6 + 6]}
        assert stored_round[0] == given[place * 6].decision_id
    assert rows[-1]["decision_id"] == given[-1].decision_id
