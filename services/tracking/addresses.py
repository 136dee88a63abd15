"""Where an address lies that is told of a person: looked up once, and kept with the version that said so."""

from datetime import date, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.tracking.v1 import tracking_pb2 as pb
from services.police import areas
from services.police.areas import Code
from services.runtime.database import lock
from services.runtime.errors import Illegal, Invalid
from services.tracking.boundaries import located
from services.tracking.store import areas as store
from services.tracking.store import facts

# The lock under which one version follows another: nobody is told of the one while the other is loaded.
AREAS = "areas"

Told = TypeVar("Told", pb.SetResidenceRequest, pb.PlanReleaseRequest)


def refuse_unfit(told: pb.SetResidenceRequest | pb.PlanReleaseRequest) -> None:
    if told.area_version:
        raise Invalid("area_version", "is not for callers to give")
    if told.ocu and told.postcode:
        raise Invalid("ocu", "is not given with a postcode")
    if told.premises and not told.postcode:
        raise Invalid("premises", "goes with a postcode")
    if told.postcode:
        address(told.postcode, told.premises)


def address(postcode: str, premises: str) -> Code:
    try:
        house = areas.premises(premises)
    except areas.Malformed as malformed:
        raise Invalid("premises", str(malformed)) from None
    try:
        return Code(areas.postcode(postcode), house)
    except areas.Malformed as malformed:
        raise Invalid("postcode", str(malformed)) from None


async def locate(session: AsyncSession, told: Told, on: date, now: datetime) -> Told:
    """What was told, with the OCU that the address lies in on that day; what names its OCU as it is."""
    if not told.postcode:
        return told
    await lock(session, AREAS)
    place = address(told.postcode, told.premises)
    version, line = await find(session, place)
    found = type(told)()
    found.CopyFrom(told)
    found.postcode, found.premises = place
    # Somebody may have lived there since before the first boundary that is known.
    found.ocu, found.area_version = areas.at(line, max(on, line[0][0])) if line else "", version
    if not found.ocu:
        raise Invalid("postcode", f"lies in no area by version {version} of the areas")
    await store.keep(session, told.nominal_id, place)
    await facts.record(
        session, located(told.nominal_id, place, line, version, now), nominal_id=told.nominal_id
    )
    return found


async def find(session: AsyncSession, place: Code) -> tuple[int, areas.Timeline]:
    """The version that stands, and where the address lies by it."""
    version = await store.version(session)
    if not version:
        raise Illegal("NO_AREAS", "no areas are loaded: ppo areas load FILE")
    covering = areas.wider(place)
    return version, areas.timeline(await store.standing(session, covering), place)
