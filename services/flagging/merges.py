"""Two nominals become one person, and two again; every row stays with its own nominal."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from ppo.flagging.v1 import flagging_pb2 as pb
from services.flagging import changes, deaths, movements, nominals, register
from services.flagging.changes import History
from services.flagging.models import Nominal, NominalMerge, Registration, RegistrationStep
from services.flagging.register import LIVE, MERGED, Standing
from services.runtime import identity
from services.runtime.database import lock
from services.runtime.errors import Illegal, Invalid, NotFound


class Merged(NamedTuple):
    living_id: str
    # The registration that ended.
    ended: Registration | None


class Unmerged(NamedTuple):
    nominal_id: str
    # The one that it lived on in.
    living_id: str
    restored: list[Registration]


async def merge(session: AsyncSession, request: pb.MergeNominalsRequest, now: datetime) -> Merged:
    nominal_id = nominals.own_id(request.nominal_id, "nominal_id")
    into_id = nominals.own_id(request.into_nominal_id, "into_nominal_id")
    if nominal_id == into_id:
        raise Invalid("into_nominal_id", "is the nominal itself")
    # An import that is under way publishes persons as it found them: it ends first.
    await lock(session, "nominals")
    claimed = await changes.claim(session, [nominal_id, into_id], now)
    one, living = _found(claimed, nominal_id, "nominal_id"), _found(claimed, into_id, "into_nominal_id")
    _refuse_merged(nominal_id, one, living)
    _refuse_dead(one, living)
    ended = _end_later(one, living, request.reason)
    # The database holds that a person has one live registration: the later ends before the two are one.
    await session.flush()
    row = _record(session, nominal_id, into_id, living, request.reason)
    _move(one, living.nominal_id)
    await changes.conclude(session, [changes.unite(living, one, row)])
    return Merged(living.nominal_id, ended)


async def unmerge(session: AsyncSession, request: pb.UnmergeNominalsRequest, now: datetime) -> Unmerged:
    nominal_id = nominals.own_id(request.nominal_id, "nominal_id")
    await lock(session, "nominals")
    history = _found(await changes.claim(session, [nominal_id], now), nominal_id, "nominal_id")
    standing = {merge.nominal_id: merge for merge in history.merges if merge.stands}
    if nominal_id not in standing:
        raise Illegal("NOT_MERGED", "this nominal is not merged into another")
    row = standing.pop(nominal_id)
    row.undone_time, row.undone_by, row.undone_reason = now, identity.current().subject, request.reason
    members = _family(nominal_id, standing.values())
    one = changes.part(history, nominal_id, members)
    other = changes.part(history, history.nominal_id, history.members.keys() - members)
    _move(one, nominal_id)
    heirs = {each.registration_id: each.yields_to for each in history.rows}
    restored = [
        each for part in (one, other) for each in await _restore(session, part, heirs, request.reason)
    ]
    for registration_id, fate in await deaths.disowned(session, [one, other]):
        movements.review(fate, registration_id=registration_id)
    await changes.conclude(session, [one, other])
    return Unmerged(nominal_id, history.nominal_id, restored)


def first(rows: Iterable[Registration]) -> Registration | None:
    """Of a person's registrations the one that goes on: no nomination outlives a registration in force."""
    return min(
        rows,
        key=lambda row: (
            (row.merged_state or row.state) not in register.FLAGGED,
            row.began,
            row.opened_time,
            row.registration_id,
        ),
        default=None,
    )


def united(rows: Sequence[Nominal]) -> pb.Nominal:
    """One person's rows, that of the nominal that lives on first."""
    found = rows[0].to_proto()
    found.person.CopyFrom(nominals.united([row.to_proto().person for row in rows]))
    found.merged_nominal_ids.extend(row.nominal_id for row in rows[1:])
    return found


def living(merged: Mapping[str, str], nominal_id: str) -> str:
    """`merged`: into which each was merged."""
    while nominal_id in merged:
        nominal_id = merged[nominal_id]
    return nominal_id


def family(merged: Mapping[str, str], nominal_id: str) -> list[str]:
    """All that live on in the same nominal, that one first."""
    first_ = living(merged, nominal_id)
    return [first_, *sorted(one for one in merged if living(merged, one) == first_)]


def _found(claimed: Mapping[str, History], nominal_id: str, field: str) -> History:
    if nominal_id not in claimed:
        raise NotFound(f"{field}: there is no such nominal")
    return claimed[nominal_id]


def _refuse_merged(nominal_id: str, one: History, living: History) -> None:
    if one.nominal_id != nominal_id:
        raise Illegal("MERGED_ALREADY", f"this nominal was merged already; it lives on in {one.nominal_id}")
    if living.nominal_id == nominal_id:
        raise Illegal("MERGES_IN_A_CIRCLE", "the other nominal lives on in this one")


def _refuse_dead(one: History, other: History) -> None:
    for dead, alive in ((one, other), (other, one)):
        died = any(row.removal_reason == register.DECEASED for row in dead.rows)
        if died and any(row.state in LIVE for row in alive.rows):
            raise Illegal(
                "DECEASED_AND_LIVE", "the register says that one of the two has died; the other is on it"
            )


def _end_later(one: History, other: History, reason: str) -> Registration | None:
    histories = {row: history for history in (one, other) for row in history.rows if row.state in LIVE}
    stays = first(histories)
    for row, history in histories.items():
        if stays is not None and row is not stays:
            _yield(history, row, stays, reason)
            return row
    return None


def _yield(history: History, row: Registration, stays: Registration, reason: str) -> None:
    standing = register.merge(row.standing, history.now)
    _take(history, row, standing, _step(MERGED, history.now, reason))
    row.yields_to = stays.registration_id


def _take(history: History, row: Registration, standing: Standing, step: RegistrationStep) -> None:
    history.take(row, standing, step, identity.current().subject)


def _step(state: register.State, effective: datetime, reason: str) -> RegistrationStep:
    return RegistrationStep(
        state=state, effective_time=effective, provenance=pb.PROVENANCE_DECIDED, reason=reason
    )


def _record(
    session: AsyncSession, nominal_id: str, into_id: str, living: History, reason: str
) -> NominalMerge:
    row = NominalMerge(
        merge_id=str(uuid4()),
        nominal_id=nominal_id,
        into_id=into_id,
        living_id=living.nominal_id,
        recorded_time=living.now,
        recorded_by=identity.current().subject,
        reason=reason,
    )
    session.add(row)
    return row


def _move(history: History, living_id: str) -> None:
    for merge in history.merges:
        if merge.stands:
            merge.living_id = living_id
    for row in history.rows:
        row.living_id = None if row.nominal_id == living_id else living_id


def _family(nominal_id: str, standing: Collection[NominalMerge]) -> set[str]:
    """The nominal and all that were merged into it, through however many merges."""
    found, more = set[str](), {nominal_id}
    while more:
        found |= more
        more = {merge.nominal_id for merge in standing if merge.into_id in more} - found
    return found


async def _restore(
    session: AsyncSession, part: History, heirs: Mapping[str, str | None], reason: str
) -> list[Registration]:
    """Those that had ended by the merge stand again: all whose earlier registration went with the others."""
    ids = {row.registration_id for row in part.rows}
    freed = []
    for row in part.rows:
        if row.state == MERGED:
            row.yields_to = _heir(row.registration_id, heirs, ids) or row.yields_to
            freed += [row] if row.yields_to not in ids else []
    again = {row: register.unmerge(row.standing).at(part.now) for row in freed}
    rivals = [row for row in part.rows if row.state in LIVE]
    rivals += [row for row, standing in again.items() if standing.state in LIVE]
    stays = first(rivals)
    for row in rivals:
        if stays is None or row is stays:
            continue
        if row in again:
            row.yields_to = stays.registration_id
            del again[row]
        else:
            _yield(part, row, stays, reason)
    # Before one of them is live, no other is.
    await session.flush()
    for row, standing in again.items():
        assert row.merged_time is not None, "it has ended by a merge"
        _take(part, row, standing, _step(row.standing.merged_state, row.merged_time, reason))
    return list(again)


def _heir(registration_id: str, heirs: Mapping[str, str | None], ids: Collection[str]) -> str | None:
    """The nearest of those it yields to that is among `ids`."""
    heir = heirs[registration_id]
    while heir is not None and heir not in ids:
        heir = heirs[heir]
    return heir
