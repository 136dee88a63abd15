"""What was told of two who are found to be one, and two again, is the same however their flags come."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import movement_pb2 as pb
from ppo.tracking.v1 import notice_pb2
from services.tracking.take import Taking
from services.tracking.telling import MESSAGES
from tests.integration.runtime.test_due import Still
from tests.integration.tracking.running import Ppo, movement
from tests.integration.tracking.test_history import Desk, desk
from tests.integration.tracking.test_merges import merged, unmerged

__all__ = ["desk"]

REGISTERED = datetime(2004, 10, 4, 9, tzinfo=UTC)
NOW = datetime(2005, 1, 3, 10, tzinfo=UTC)
MERGED, UNMERGED = NOW + timedelta(days=1), NOW + timedelta(days=2)

Flags = Sequence[flagging.Flag]
# (whose notice, its type, who was told, the state and as whom the person goes on)
Told = tuple[str, int, str, int, bool]

days = st.lists(st.integers(0, 80), max_size=4, unique=True).map(sorted)


def stays(ppo: Ppo, on: Sequence[int]) -> list[pb.Movement]:
    """Received and released in turn."""
    kinds = (pb.MOVEMENT_KIND_RECEPTION, pb.MOVEMENT_KIND_RELEASE)
    codes = ("N", "BL")
    return [
        movement(
            *(ppo, kinds[place % 2], REGISTERED + timedelta(days=day)),
            reason_code=codes[place % 2],
            prison_id="BMI",
        )
        for place, day in enumerate(on)
    ]


def batches(flags: Flags, order: int, *, together: bool) -> list[Flags]:
    return [flags] if together else [[flag] for flag in flags[::order]]


async def take(desk: Desk, batches: Iterable[Flags], at: datetime) -> None:
    for batch in batches:
        async with desk.database.transaction() as session:
            await Taking(desk.settler, Still(at)).flags(session, batch)


async def lived(desk: Desk, away: Ppo, living: Ppo, moves: Sequence[pb.Movement]) -> None:
    await take(desk, [[away.flag()], [living.flag()]], NOW)
    async with desk.database.transaction() as session:
        await Taking(desk.settler, Still(NOW)).movements(session, moves)


def told(desk: Desk, away: Ppo, living: Ppo) -> Counter[Told]:
    """Every record, but for revisions that say nothing else."""
    asked = (
        "SELECT nominal_id, type, organisation, delivery.state, message_type, message FROM tracking.delivery"
        " JOIN tracking.notice USING (notice_id) WHERE nominal_id = ANY (%s) ORDER BY revision"
    )
    ids = {away.nominal_id: "away", living.nominal_id: "living"}
    with psycopg.connect(desk.url) as connection:
        rows = connection.execute(asked, ([*ids],)).fetchall()
    return Counter(
        (ids[whose], kind, organisation, state, _goes_on(message_type, message))
        for whose, kind, organisation, state, message_type, message in rows
    )


def _goes_on(message_type: str, message: bytes) -> bool:
    sent = MESSAGES[message_type].FromString(message)
    return bool(sent.goes_on_as_nominal_id if isinstance(sent, notice_pb2.Notice) else sent.goes_on_as)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(of_away=days, of_living=days, gap=st.integers(0, 30))
def test_what_is_retracted_does_not_depend_on_the_order_or_the_batches_of_the_flags(
    desk: Desk, of_away: list[int], of_living: list[int], gap: int
) -> None:
    found = []
    for order, together in ((1, True), (1, False), (-1, False)):
        away = Ppo(ocu="D3", start=REGISTERED)
        living = Ppo(ocu="E3", start=REGISTERED + timedelta(days=gap))
        desk(lived(desk, away, living, [*stays(away, of_away), *stays(living, of_living)]))
        desk(take(desk, batches(merged(away, living, MERGED), order, together=together), MERGED))
        apart = unmerged(away, living, MERGED, UNMERGED)
        desk(take(desk, batches(apart, order, together=together), UNMERGED))
        found.append(told(desk, away, living))

    assert found == [found[0]] * 3
