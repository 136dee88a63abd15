"""What was told of two who are found to be one, and two again, is the same however their flags come."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.tracking.casebook import Casebook, Held
from services.tracking.take import Taking
from tests.integration.runtime.test_due import Still
from tests.integration.tracking.running import Ppo, movement
from tests.integration.tracking.test_history import Desk, desk
from tests.integration.tracking.test_merges import merged, unmerged

__all__ = ["desk"]

REGISTERED = datetime(2004, 10, 4, 9, tzinfo=UTC)
NOW = datetime(2005, 1, 3, 10, tzinfo=UTC)
MERGED, UNMERGED = NOW + timedelta(days=1), NOW + timedelta(days=2)

Flags = Sequence[flagging.Flag]
# Whose notice, and what is told of it.
Told = tuple[object, ...]

days = st.lists(st.integers(0, 80), max_size=4, unique=True).map(sorted)


def stays(ppo: Ppo, on: Sequence[int], first: str) -> list[movement_pb2.Movement]:
    """Received and released in turn; of two at one instant that of the lower id, which begins so, counts."""
    kinds = (movement_pb2.MOVEMENT_KIND_RECEPTION, movement_pb2.MOVEMENT_KIND_RELEASE)
    codes = ("N", "BL")
    moves = [
        movement(
            *(ppo, kinds[place % 2], REGISTERED + timedelta(days=day)),
            reason_code=codes[place % 2],
            prison_id="BMI",
        )
        for place, day in enumerate(on)
    ]
    for move in moves:
        move.movement_id = f"{first}/{move.movement_id}"
    return moves


def batches(flags: Flags, order: int, *, together: bool) -> list[Flags]:
    return [flags] if together else [[flag] for flag in flags[::order]]


async def take(desk: Desk, batches: Iterable[Flags], at: datetime) -> None:
    """What time alone has brought by then is told before."""
    batches = list(batches)
    for nominal_id in sorted({flag.nominal_id for batch in batches for flag in batch}):
        async with desk.database.transaction() as session:
            await Taking(desk.settler, Still(at)).settle(session, nominal_id)
    for batch in batches:
        async with desk.database.transaction() as session:
            await Taking(desk.settler, Still(at)).flags(session, batch)


async def lived(desk: Desk, away: Ppo, living: Ppo, moves: Sequence[movement_pb2.Movement]) -> None:
    await take(desk, [[away.flag()], [living.flag()]], NOW)
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(NOW)).movements(session, moves)


def test_between_the_flags_of_an_unmerge_what_is_read_is_what_was_settled(desk: Desk) -> None:
    away = Ppo(ocu="D3", start=REGISTERED)
    living = Ppo(ocu="E3", start=REGISTERED + timedelta(days=30))
    desk(lived(desk, away, living, []))
    desk(take(desk, [merged(away, living, MERGED)], MERGED))

    desk(take(desk, [unmerged(away, living, MERGED, UNMERGED)[1:]], UNMERGED))

    read = desk(desk.file(living)).flag.episodes
    assert [one.registration_id for one in read] == [living.registration_id]
    assert read == desk(settled(desk, living)).flag.episodes


async def settled(desk: Desk, ppo: Ppo) -> Held:
    async with desk.database.transaction() as session:
        held = (await Casebook.open(session, [ppo.nominal_id])).of(ppo.nominal_id)
    assert held is not None
    return held


def unsaid(desk: Desk, away: Ppo, living: Ppo) -> Counter[Told]:
    """Every record that took something back which stands in the end."""
    asked = (
        "SELECT nominal_id, type, organisation FROM tracking.delivery JOIN tracking.notice USING (notice_id)"
        " WHERE nominal_id = ANY (%s) AND delivery.state = %s AND notice.state <> delivery.state"
    )
    return Counter(found(desk, asked, away, living, pb.NOTICE_STATE_RETRACTED))


def standing(desk: Desk, away: Ppo, living: Ppo) -> Counter[Told]:
    """Every notice as it is in the end."""
    asked = (
        "SELECT nominal_id, type, state, goes_on_as, told FROM tracking.notice WHERE nominal_id = ANY (%s)"
    )
    return Counter(found(desk, asked, away, living))


def found(desk: Desk, asked: str, away: Ppo, living: Ppo, *more: object) -> list[Told]:
    names = {away.nominal_id: "away", living.nominal_id: "living"}
    with psycopg.connect(desk.url) as connection:
        rows = connection.execute(asked, ([*names], *more)).fetchall()
    return [(names[nominal_id], *told) for nominal_id, *told in rows]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of_away=days, of_living=days, gap=st.integers(0, 30))
@example(of_away=[19], of_living=[37], gap=30)
def test_what_is_taken_back_and_what_stands_depends_on_neither_the_order_nor_the_batches_of_the_flags(
    desk: Desk, of_away: list[int], of_living: list[int], gap: int
) -> None:
    ends = []
    for order, together in ((1, True), (1, False), (-1, False)):
        away = Ppo(ocu="D3", start=REGISTERED)
        living = Ppo(ocu="E3", start=REGISTERED + timedelta(days=gap))
        desk(lived(desk, away, living, [*stays(away, of_away, "a"), *stays(living, of_living, "b")]))
        desk(take(desk, batches(merged(away, living, MERGED), order, together=together), MERGED))
        apart = unmerged(away, living, MERGED, UNMERGED)
        desk(take(desk, batches(apart, order, together=together), UNMERGED))
        ends.append((unsaid(desk, away, living), standing(desk, away, living)))

    assert ends == [ends[0]] * 3
