"""Which postcodes lie in which area, version by version; and of whom an address was told."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.police.areas import Code, Start, Starts, Timeline
from services.tracking.models import Address, AreaStart, AreaVersion

T = TypeVar("T")

_STANDS = AreaStart.until_version.is_(None)
_KEY = tuple_(AreaStart.postcode, AreaStart.premises, AreaStart.effective_date)
# A statement takes so many values and no more.
_TOGETHER = 5_000


async def version(session: AsyncSession) -> int:
    """0 while none is loaded."""
    return int(await session.scalar(select(func.max(AreaVersion.version))) or 0)


async def versions(session: AsyncSession) -> Sequence[AreaVersion]:
    return (await session.scalars(select(AreaVersion).order_by(AreaVersion.version.desc()))).all()


async def standing(session: AsyncSession, codes: Collection[Code] | None = None) -> Starts:
    """Of these codes, or of all."""
    rows = select(AreaStart.postcode, AreaStart.premises, AreaStart.effective_date, AreaStart.area)
    rows = rows.where(_STANDS).order_by(AreaStart.effective_date)
    if codes is not None:
        rows = rows.where(tuple_(AreaStart.postcode, AreaStart.premises).in_(codes))
    found: dict[Code, Timeline] = defaultdict(tuple)
    for postcode, premises, day, area in await session.execute(rows):
        found[Code(postcode, premises)] += ((day, area),)
    return found


async def change(
    session: AsyncSession, made: AreaVersion, added: Iterable[Start], withdrawn: Iterable[Start]
) -> None:
    session.add(made)
    await session.flush()
    gone = [(*code, day) for code, day, _ in withdrawn]
    for some in _parts(gone):
        ended = update(AreaStart).where(_STANDS, _KEY.in_(some))
        await session.execute(ended.values(until_version=made.version))
    new = [
        {**code._asdict(), "effective_date": day, "area": area, "since_version": made.version}
        for code, day, area in added
    ]
    for rows in _parts(new):
        await session.execute(insert(AreaStart), rows)


async def keep(session: AsyncSession, nominal_id: str, address: Code) -> None:
    row = insert(Address).values(nominal_id=nominal_id, **address._asdict())
    await session.execute(row.on_conflict_do_nothing())


async def addresses(session: AsyncSession) -> list[tuple[str, Code]]:
    rows = select(Address.nominal_id, Address.postcode, Address.premises).order_by(Address.nominal_id)
    return [(row[0], Code(row[1], row[2])) for row in await session.execute(rows)]


def _parts(rows: list[T]) -> Iterator[list[T]]:
    return (rows[first : first + _TOGETHER] for first in range(0, len(rows), _TOGETHER))
