"""Finds nominals: who holds an identifier, then who is likely by name and date of birth."""

import hashlib
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2
from services.flagging import merges, nominals
from services.flagging.index import People
from services.flagging.models import Nominal
from services.flagging.store import merges as merge_store
from services.flagging.store import nominals as store
from services.people import matching, reading
from services.runtime.errors import Invalid

PAGE = 10
LARGEST_PAGE = 50


async def search(
    session: AsyncSession, people: People, request: pb.SearchNominalsRequest
) -> pb.SearchNominalsResponse:
    nominals.refuse_vague(request.person)
    given = nominals.canonical(request.person)
    start = _start(request)
    if request.page_size < 0:
        raise Invalid("page_size", "is negative")
    size = min(request.page_size or PAGE, LARGEST_PAGE)
    holders = [_scored(given, nominal) for nominal in await _holders(session, given)]
    # Twice as many as are shown, for several may be records of one person.
    likely = await _likely(session, people, given, 2 * (start + size + 1))
    found = await _living(session, [*_best_first(holders), *likely])
    more = len(found) > start + size
    return pb.SearchNominalsResponse(
        found=found[start : start + size],
        next_page_token=f"{start + size}.{_digest(request)}" if more else "",
    )


async def _holders(session: AsyncSession, given: person_pb2.Person) -> list[Nominal]:
    """Who holds an identifier that was given comes first, whatever the name."""
    found = [await store.by_key(session, key) for key in nominals.keys(given)]
    return list({nominal.nominal_id: nominal for nominal in found if nominal is not None}.values())


async def _likely(
    session: AsyncSession, people: People, given: person_pb2.Person, limit: int
) -> list[pb.FoundNominal]:
    if not reading.named(given):
        return []
    matches = people.matches(given, limit)
    held = await store.by_ids(session, [match.nominal_id for match in matches])
    return [
        pb.FoundNominal(nominal=held[nominal_id].to_proto(), bits=bits, evidence=evidence)
        for nominal_id, bits, evidence in matches
        # The index is a second behind: a backup put back just now may not have this one.
        if nominal_id in held
    ]


async def _living(session: AsyncSession, ranked: Sequence[pb.FoundNominal]) -> list[pb.FoundNominal]:
    """Each person once, in the place of the best of their records, as the nominal that lives on."""
    ids = await merge_store.concerned(session, [one.nominal.nominal_id for one in ranked])
    persons = await merge_store.persons(session, ids)
    records = {row.nominal_id: rows for rows in persons.values() for row in rows}
    found: dict[str, pb.FoundNominal] = {}
    for one in ranked:
        living = _led(one, records[one.nominal.nominal_id]) if one.nominal.nominal_id in records else one
        found.setdefault(living.nominal.nominal_id, living)
    return list(found.values())


def _led(one: pb.FoundNominal, records: Sequence[Nominal]) -> pb.FoundNominal:
    nominal = merges.united(records)
    merged = one.nominal.nominal_id if one.nominal.nominal_id != nominal.nominal_id else ""
    return pb.FoundNominal(nominal=nominal, bits=one.bits, evidence=one.evidence, merged_nominal_id=merged)


def _best_first(found: Iterable[pb.FoundNominal]) -> list[pb.FoundNominal]:
    return sorted(found, key=lambda one: (-one.bits, one.nominal.nominal_id))


def _scored(given: person_pb2.Person, nominal: Nominal) -> pb.FoundNominal:
    found = nominal.to_proto()
    bits, evidence = matching.compare(given, found.person)
    return pb.FoundNominal(nominal=found, bits=bits, evidence=evidence)


def _start(request: pb.SearchNominalsRequest) -> int:
    if not request.page_token:
        return 0
    start, _, digest = request.page_token.partition(".")
    if digest != _digest(request) or not start.isdecimal():
        raise Invalid("page_token", "is not of this search")
    return int(start)


def _digest(request: pb.SearchNominalsRequest) -> str:
    """Ties a page to its search; says nothing of the person by itself."""
    return hashlib.sha256(request.person.SerializeToString(deterministic=True)).hexdigest()[:16]
