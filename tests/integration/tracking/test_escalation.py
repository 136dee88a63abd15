"""What is late goes up on tracking's own code, while organisations acknowledge and cases change hands."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.database import lock
from services.tracking.escalating import Escalation
from services.tracking.lateness import GRACE
from services.tracking.store import lateness, notices
from services.tracking.take import Taking
from tests.integration.runtime.test_due import Still
from tests.integration.tracking.running import REGISTERED, Ppo, movement
from tests.integration.tracking.test_history import Desk, desk
from tests.unit.tracking import files

__all__ = ["desk"]

NOW = datetime(2005, 1, 3, 10, tzinfo=UTC)
STEP = timedelta(hours=24)
LATE = NOW + GRACE


async def received(desk: Desk) -> tuple[Ppo, str]:
    """Somebody is in prison: the notice of it."""
    ppo = Ppo(ocu="E3")
    kind = movement_pb2.MOVEMENT_KIND_RECEPTION
    move = movement(ppo, kind, NOW - timedelta(days=30), reason_code="N", prison_id="BMI")
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(NOW)).flags(session, [ppo.flag()])
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(NOW)).movements(session, [move])
    asked = "SELECT notice_id FROM tracking.notice WHERE nominal_id = %s AND type = %s"
    [(notice_id,)] = rows(desk, asked, ppo.nominal_id, pb.NOTICE_TYPE_PRISON_RECEPTION)
    return ppo, str(notice_id)


def rows(desk: Desk, asked: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(desk.url) as connection:
        return connection.execute(asked.encode(), values).fetchall()


async def acknowledge(desk: Desk, notice_id: str, organisation: str, at: datetime, revision: int = 0) -> None:
    async with desk.database.transaction() as session:
        notices.settle(await notices.sent(session, notice_id, organisation, revision), at)
        await lateness.settle(session, notice_id, organisation, at)


async def act(desk: Desk, ppo: Ppo, at: datetime) -> None:
    async with desk.database.transaction() as session:
        await lock(session, ppo.nominal_id)
        await Escalation(desk.settler, Still(at), STEP).act(session, ppo.nominal_id)


def standing(desk: Desk, notice_id: str) -> dict[str, int]:
    asked = "SELECT organisation, level FROM tracking.lateness WHERE notice_id = %s AND settled_time IS NULL"
    return dict(rows(desk, asked, notice_id))


@pytest.mark.parametrize("before", [0, 1])
def test_what_is_acknowledged_while_it_goes_up_is_overdue_no_more(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    ppo, notice_id = desk(received(desk))
    for _ in range(before):
        desk(act(desk, ppo, LATE))
    unsettled = lateness.unsettled

    async def overtaken(session: AsyncSession, nominal_ids: Collection[str]) -> Any:
        found = await unsettled(session, nominal_ids)
        await acknowledge(desk, notice_id, "BMI", LATE)
        return found

    monkeypatch.setattr(lateness, "unsettled", overtaken)
    desk(act(desk, ppo, LATE))

    assert "BMI" not in standing(desk, notice_id)
    assert standing(desk, notice_id)["E3"] == pb.ESCALATION_LEVEL_OFFENDER_MANAGER


def test_what_stands_at_its_level_is_left_as_it_is(desk: Desk) -> None:
    ppo, notice_id = desk(received(desk))
    desk(act(desk, ppo, LATE))
    asked = "SELECT xmin::text FROM tracking.lateness WHERE notice_id = %s ORDER BY organisation"
    before = rows(desk, asked, notice_id)

    desk(act(desk, ppo, LATE + GRACE))

    assert rows(desk, asked, notice_id) == before
    desk(act(desk, ppo, LATE + STEP))
    assert set(standing(desk, notice_id).values()) == {pb.ESCALATION_LEVEL_OCU_LEAD}


@pytest.mark.parametrize("settled", [False, True])
def test_only_of_what_is_late_still_who_gets_the_case_is_told(desk: Desk, settled: bool) -> None:
    ppo, _ = desk(received(desk))
    desk(act(desk, ppo, LATE))
    if settled:
        desk(acknowledge_all(desk, ppo))
    assert looked_at(desk, ppo) > LATE

    desk(desk.record(ppo, files.lives("F2", REGISTERED - STEP), LATE))

    assert (looked_at(desk, ppo) == LATE) is not settled


# ---- what was told again


async def renumbered(desk: Desk, ppo: Ppo, at: datetime) -> None:
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(at)).flags(session, [ppo.flag()])


def test_what_was_told_in_error_and_is_so_after_all_is_late_by_its_last_telling_alone(desk: Desk) -> None:
    ppo, notice_id = desk(received(desk))
    desk(act(desk, ppo, LATE))
    desk(renumbered(desk, replace(ppo, numbered=False), LATE))
    assert standing(desk, notice_id) == {}
    again = LATE + timedelta(hours=3)
    desk(renumbered(desk, ppo, again))

    assert standing(desk, notice_id) == {}
    desk(act(desk, ppo, again + GRACE / 2))
    assert standing(desk, notice_id) == {}
    desk(act(desk, ppo, again + GRACE))
    assert set(standing(desk, notice_id).values()) == {pb.ESCALATION_LEVEL_OFFENDER_MANAGER}


async def better(desk: Desk, ppo: Ppo, at: datetime) -> None:
    """The same reception told again, by what right: a further revision."""
    kind = movement_pb2.MOVEMENT_KIND_RECEPTION
    move = movement(ppo, kind, NOW - timedelta(days=29), reason_code="I", prison_id="BMI")
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(at)).movements(session, [move])


@pytest.mark.parametrize("after", [GRACE / 2, 2 * GRACE])
def test_who_has_acknowledged_what_was_changed_since_is_late_with_the_change(
    desk: Desk, after: timedelta
) -> None:
    ppo, notice_id = desk(received(desk))
    # By then nothing else of the person is to be looked at any more.
    desk(desk.flag(ppo, LATE + STEP))
    desk(act(desk, ppo, LATE + 5 * STEP))
    changed = LATE + 6 * STEP
    desk(better(desk, ppo, changed))
    desk(act(desk, ppo, changed))
    assert looked_at(desk, ppo) == changed + GRACE

    desk(acknowledge(desk, notice_id, "BMI", changed + after, revision=1))

    assert ("BMI" in standing(desk, notice_id)) is (after > GRACE)
    desk(act(desk, ppo, changed + 2 * GRACE))
    assert "BMI" in standing(desk, notice_id)
    desk(acknowledge(desk, notice_id, "BMI", changed + 2 * GRACE))
    assert "BMI" not in standing(desk, notice_id)


async def acknowledge_all(desk: Desk, ppo: Ppo) -> None:
    asked = (
        "SELECT DISTINCT notice_id, organisation FROM tracking.delivery JOIN tracking.notice"
        " USING (notice_id) WHERE nominal_id = %s"
    )
    for notice_id, organisation in rows(desk, asked, ppo.nominal_id):
        await acknowledge(desk, notice_id, organisation, LATE)


def looked_at(desk: Desk, ppo: Ppo) -> datetime:
    """When somebody looks at what is overdue of the person."""
    asked = "SELECT due_time FROM tracking.due WHERE kind = 'overdue' AND key = %s"
    [(at,)] = rows(desk, asked, ppo.nominal_id)
    assert isinstance(at, datetime)
    return at
