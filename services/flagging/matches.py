"""The prisoners who may be PPOs: shown to the keeper of the register, resolved, forgotten when they lapse."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import roll_pb2 as pb
from ppo.person.v1 import person_pb2
from services.flagging import changes, movements, nominals
from services.flagging.models import PrisonRuling
from services.flagging.screening import Screening
from services.flagging.store import merges
from services.flagging.store import nominals as nominal_store
from services.flagging.store import rolls as store
from services.runtime import identity
from services.runtime.database import lock
from services.runtime.errors import Illegal, NotFound

LAPSED = Counter(
    "ppo_flagging_prison_matches_lapsed",
    "Prisoners who may have been PPOs and at whom nobody looked in time.",
)

NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER


async def listed(session: AsyncSession, screening: Screening) -> list[pb.PrisonMatch]:
    await screening.refresh()
    found = []
    for match in await store.matches(session):
        shown = match.to_proto()
        shown.candidates.extend(screening.candidates(shown.person, match.candidates))
        found.append(shown)
    return found


async def resolve(
    session: AsyncSession, request: pb.ResolvePrisonMatchRequest, now: datetime
) -> pb.ResolvePrisonMatchResponse:
    number = nominals.number(NUMBER, request.prison_number, "prison_number")
    nominal_id = nominals.own_id(request.nominal_id, "nominal_id") if request.nominal_id else ""
    await lock(session, "nominals")
    await lock(session, number[1])
    match = await store.match(session, number[1])
    if nominal_id:
        link = await _give(session, number, nominal_id, now)
    elif match is None:
        raise NotFound("nothing waits under this prison number")
    else:
        link = pb.NUMBER_LINK_RULED_OUT
    ruled_out = match.candidates if match and not nominal_id else []
    session.add(_ruling(request, number[1], nominal_id, ruled_out, now))
    await store.forget(session, [number[1]])
    return pb.ResolvePrisonMatchResponse(link=link)


async def _give(
    session: AsyncSession, number: nominals.Key, nominal_id: str, now: datetime
) -> pb.NumberLink.ValueType:
    holder = (await nominal_store.holders(session, [number])).get(number)
    if holder is not None:
        people = set((await merges.living(session, {holder, nominal_id})).values())
        if len(people) == 1:
            return pb.NUMBER_LINK_HELD
        raise Illegal(
            "NUMBER_HELD", "another nominal has this prison number: if they are one person, merge them"
        )
    if not await nominal_store.persons(session, [nominal_id]):
        raise NotFound("there is no such nominal")
    await nominal_store.learn(session, {number: nominal_id}, now)
    await changes.republish(session, [nominal_id], now)
    return pb.NUMBER_LINK_LINKED


def _ruling(
    request: pb.ResolvePrisonMatchRequest | pb.WithdrawPrisonNumberRequest,
    number: str,
    nominal_id: str,
    ruled_out: Sequence[str],
    now: datetime,
) -> PrisonRuling:
    return PrisonRuling(
        ruling_id=str(uuid4()),
        prison_number=number,
        nominal_id=nominal_id or None,
        ruled_out=list(ruled_out),
        reason=request.reason,
        recorded_by=identity.current().subject,
        recorded_time=now,
    )


async def withdraw(
    session: AsyncSession, request: pb.WithdrawPrisonNumberRequest, now: datetime
) -> pb.WithdrawPrisonNumberResponse:
    number = nominals.number(NUMBER, request.prison_number, "prison_number")
    nominal_id = nominals.own_id(request.nominal_id, "nominal_id")
    await lock(session, "nominals")
    await lock(session, number[1])
    holder = (await nominal_store.holders(session, [number])).get(number)
    people = await merges.living(session, {nominal_id, holder or nominal_id})
    if holder is None or people[holder] != people[nominal_id]:
        raise NotFound("this nominal has no such prison number")
    # As a death does: the history first, the person's row after it.
    await changes.hold(session, [holder])
    if not await nominal_store.unlearn(session, number, now):
        raise Illegal("NUMBER_OF_RECORD", "the police's own record has this number: put it right there")
    theirs = sorted({holder, *people, *people.values()})
    session.add(_ruling(request, number[1], "", theirs, now))
    await movements.renumbered(session, [holder], now)
    return pb.WithdrawPrisonNumberResponse(link=pb.NUMBER_LINK_RULED_OUT)


async def lapse(session: AsyncSession, number: str) -> None:
    """Nobody has looked, and no roll has named the prisoner again."""
    if await store.forget(session, [number]):
        LAPSED.inc()
