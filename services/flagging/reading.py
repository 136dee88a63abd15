"""The register and the index, read as of any time and as known at any time."""

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import fields, nominals
from services.flagging.flags import FLAGGED, NOT_FLAGGED
from services.flagging.models import Registration
from services.flagging.store import nominals as nominal_store
from services.flagging.store import registrations as store
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


async def nominal(session: AsyncSession, request: pb.GetNominalRequest, now: datetime) -> pb.Nominal:
    key = nominals.identifier(request.identifier, "identifier")
    at = _known_at(request, now)
    if at is None:
        held = await nominal_store.by_key(session, key)
        if held is None:
            raise NotFound("no nominal has this identifier")
        return held.to_proto()
    then = await nominal_store.holder_then(session, key, at)
    if then is None:
        raise NotFound("no nominal was known by this identifier then")
    nominal_id, version = then
    recorded = fields.stamp(version.recorded)
    return pb.Nominal(
        nominal_id=nominal_id, person=version.person, source=version.source, recorded_time=recorded
    )


async def registration(
    session: AsyncSession, request: pb.GetRegistrationRequest, now: datetime
) -> pb.GetRegistrationResponse:
    at, known_at = _as_of(request, now), _known_at(request, now)
    nominal_id = await _nominal_id(session, request)
    told = _known(await store.of(session, [nominal_id]), known_at)
    response = pb.GetRegistrationResponse(
        flag_state=FLAGGED if any(one.timeline.flagged(at) for one in told) else NOT_FLAGGED,
        as_of_time=fields.stamp(at),
        known_at_time=fields.stamp(known_at or now),
    )
    asked = [one for one in told if request.registration_id in ("", one.row.registration_id)]
    if latest := _latest(asked, at):
        response.registration.CopyFrom(latest.to_proto(at))
        response.steps.extend(
            step.to_proto() for step in latest.row.steps if known_at is None or step.recorded_time <= known_at
        )
    persons = await nominal_store.as_known(session, [nominal_id], known_at)
    if nominal_id in persons:
        response.person.CopyFrom(persons[nominal_id].person)
    return response


async def on_list(
    session: AsyncSession, request: pb.ListPposRequest, now: datetime
) -> AsyncIterator[pb.ListPposResponse]:
    at, known_at = _as_of(request, now), _known_at(request, now)
    found = await (store.on_list(session, at) if known_at is None else store.opened(session, known_at))
    for start in range(0, len(found), PAGE):
        rows = await store.with_steps(session, found[start : start + PAGE])
        told = [one for one in _known(rows, known_at) if one.timeline.flagged(at)]
        persons = await nominal_store.as_known(session, {one.row.nominal_id for one in told}, known_at)
        for one in told:
            shown = one.to_proto(at)
            if request.nominating_ocu in ("", shown.nominating_ocu):
                yield pb.ListPposResponse(registration=shown, person=persons[one.row.nominal_id].person)


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


def _known(rows: Iterable[Registration], at: datetime | None) -> list[Known]:
    told = ((row, row.known(at)) for row in rows)
    return [Known(row, timeline) for row, timeline in told if timeline is not None]


def _latest(told: Iterable[Known], at: datetime) -> Known | None:
    """The one by which the person was a PPO, else the last that there was."""
    begun = (one for one in told if one.timeline.state(at) is not None)
    return max(
        begun,
        key=lambda one: (one.timeline.flagged(at), one.timeline.began, one.row.opened_time),
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
