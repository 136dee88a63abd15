"""The register and the index, read as of any time and as known at any time."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2
from services.flagging import fields, merges, nominals
from services.flagging.flags import FLAGGED, NOT_FLAGGED
from services.flagging.models import Registration
from services.flagging.nominals import Key
from services.flagging.store import merges as merge_store
from services.flagging.store import nominals as nominal_store
from services.flagging.store import registrations as store
from services.flagging.store.nominals import Version
from services.flagging.timeline import Timeline
from services.runtime.errors import Invalid, NotFound

# Few enough that a check which comes meanwhile does not wait for them.
PAGE = 200


class Known(NamedTuple):
    """A registration, as far as it was known."""

    row: Registration
    timeline: Timeline

    def to_proto(self, at: datetime) -> pb.Registration:
        return self.row.to_proto(at, self.timeline)


async def nominal(
    session: AsyncSession, request: pb.GetNominalRequest, now: datetime
) -> pb.GetNominalResponse:
    key = nominals.identifier(request.identifier, "identifier")
    at = _known_at(request, now)
    held = await (_holder(session, key) if at is None else _holder_then(session, key, at))
    found = await living(session, held, at)
    return pb.GetNominalResponse(nominal=found, merged_nominal_id=held if held != found.nominal_id else "")


async def living(session: AsyncSession, nominal_id: str, at: datetime | None = None) -> pb.Nominal:
    """The person that the nominal is, or lives on as."""
    family = await _family(session, nominal_id, at)
    versions = await nominal_store.as_known(session, family, at)
    first = versions[family[0]]
    return pb.Nominal(
        nominal_id=family[0],
        person=_person(family, versions),
        source=first.source,
        recorded_time=fields.stamp(first.recorded),
        merged_nominal_ids=family[1:],
    )


async def registration(
    session: AsyncSession, request: pb.GetRegistrationRequest, now: datetime
) -> pb.GetRegistrationResponse:
    at, known_at = _as_of(request, now), _known_at(request, now)
    nominal_id = await _nominal_id(session, request)
    family = await _family(session, nominal_id, known_at)
    told = _known(await store.of(session, family), known_at)
    response = pb.GetRegistrationResponse(
        flag_state=FLAGGED if any(one.timeline.flagged(at) for one in told) else NOT_FLAGGED,
        as_of_time=fields.stamp(at),
        known_at_time=fields.stamp(known_at or now),
    )
    asked = [one for one in told if request.registration_id in ("", one.row.registration_id)]
    if latest := _latest(asked, at):
        response.registration.CopyFrom(latest.to_proto(at))
        response.registration.nominal_id = family[0]
        response.steps.extend(
            step.to_proto() for step in latest.row.steps if known_at is None or step.recorded_time <= known_at
        )
    persons = await nominal_store.as_known(session, family, known_at)
    if family[0] in persons:
        response.person.CopyFrom(_person(family, persons))
    return response


async def on_list(
    session: AsyncSession, request: pb.ListPposRequest, now: datetime
) -> AsyncIterator[pb.ListPposResponse]:
    at, known_at = _as_of(request, now), _known_at(request, now)
    found = await (store.on_list(session, at) if known_at is None else store.opened(session, known_at))
    merged = await merge_store.known(session, known_at or now)
    seen: set[str] = set()
    for start in range(0, len(found), PAGE):
        rows = await store.with_steps(session, found[start : start + PAGE])
        told = [one for one in _known(rows, known_at) if one.timeline.flagged(at)]
        people = {one.row.nominal_id: merges.living(merged, one.row.nominal_id) for one in told}
        persons = await nominal_store.as_known(session, set(people.values()), known_at)
        for one in told:
            shown, living_id = one.to_proto(at), people[one.row.nominal_id]
            shown.nominal_id = living_id
            # A person is on the list once, by the first of their registrations.
            if request.nominating_ocu in ("", shown.nominating_ocu) and living_id not in seen:
                seen.add(living_id)
                yield pb.ListPposResponse(registration=shown, person=persons[living_id].person)


async def _nominal_id(session: AsyncSession, request: pb.GetRegistrationRequest) -> str:
    if bool(request.registration_id) == bool(request.nominal_id):
        raise Invalid("registration_id", "give this or nominal_id, one of the two")
    if request.registration_id:
        registration_id = nominals.own_id(request.registration_id, "registration_id")
        found = await store.nominal_of(session, registration_id)
        if found is None:
            raise NotFound("there is no such registration")
        return found
    nominal_id = nominals.own_id(request.nominal_id, "nominal_id")
    if not await nominal_store.as_known(session, [nominal_id], None):
        raise NotFound("there is no such nominal")
    return nominal_id


async def _holder(session: AsyncSession, key: Key) -> str:
    held = await nominal_store.by_key(session, key)
    if held is None:
        raise NotFound("no nominal has this identifier")
    return held.nominal_id


async def _holder_then(session: AsyncSession, key: Key, at: datetime) -> str:
    then = await nominal_store.holder_then(session, key, at)
    if then is None:
        raise NotFound("no nominal was known by this identifier then")
    return then[0]


async def _family(session: AsyncSession, nominal_id: str, at: datetime | None) -> list[str]:
    """All nominals that are, or were known to be, one person with this one; the one that lives on first."""
    if at is None:
        return await merge_store.members(session, nominal_id)
    return merges.family(await merge_store.known(session, at), nominal_id)


def _person(family: Iterable[str], versions: Mapping[str, Version]) -> person_pb2.Person:
    return nominals.united([versions[member].person for member in family if member in versions])


def _known(rows: Iterable[Registration], at: datetime | None) -> list[Known]:
    told = ((row, row.known(at)) for row in rows)
    return [Known(row, timeline) for row, timeline in told if timeline is not None]


def _latest(told: Iterable[Known], at: datetime) -> Known | None:
    """The one by which the person was a PPO, else the last that there was."""
    begun = (one for one in told if one.timeline.state(at) is not None)
    return max(
        begun,
        key=lambda one: (
            one.timeline.flagged(at),
            # What ended by a merge is the same as an earlier one.
            one.timeline.standing.merged is None,
            one.timeline.began,
            one.row.opened_time,
            # Of two that were opened at one instant the one that the register changed last.
            one.row.version,
        ),
        default=None,
    )


def _as_of(request: pb.GetRegistrationRequest | pb.ListPposRequest, now: datetime) -> datetime:
    return fields.time(request.as_of_time) if request.HasField("as_of_time") else now


def _known_at(
    request: pb.GetNominalRequest | pb.GetRegistrationRequest | pb.ListPposRequest, now: datetime
) -> datetime | None:
    if not request.HasField("known_at_time"):
        return None
    given = fields.time(request.known_at_time)
    if given > now:
        raise Invalid("known_at_time", "is in the future")
    return given
