"""Which postcodes lie in which area, version by version; and of whom an address was told."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.police.areas import Code, Start, Starts, Timeline
from services.tracking.models import Address, AreaStart, AreaVersion

_STANDS = AreaStart.until_version.is_(None)
_TOLD = """
    unnest(
        cast(:postcodes AS text[]), cast(:houses AS text[]), cast(:days AS date[]), cast(:areas AS text[])
    ) AS told (postcode, premises, effective_date, area)
"""
_END = text(
    f"""
    UPDATE area_start SET until_version = :version FROM {_TOLD}
    WHERE area_start.postcode = told.postcode AND area_start.premises = told.premises
        AND area_start.effective_date = told.effective_date AND area_start.until_version IS NULL
    """
)
_BEGIN = text(
    f"""
    INSERT INTO area_start (postcode, premises, effective_date, area, since_version)
    SELECT told.*, :version FROM {_TOLD}
    """
)


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
    session: AsyncSession, made: AreaVersion, added: Sequence[Start], withdrawn: Sequence[Start]
) -> None:
    session.add(made)
    await session.flush()
    await session.execute(_END, _columns(withdrawn) | {"version": made.version})
    await session.execute(_BEGIN, _columns(added) | {"version": made.version})


def _columns(starts: Sequence[Start]) -> dict[str, list[object]]:
    return {
        "postcodes": [code.postcode for code, _, _ in starts],
        "houses": [code.premises for code, _, _ in starts],
        "days": [on for _, on, _ in starts],
        "areas": [area for _, _, area in starts],
    }


async def keep(session: AsyncSession, nominal_id: str, address: Code) -> None:
    row = insert(Address).values(nominal_id=nominal_id, **address._asdict())
    await session.execute(row.on_conflict_do_nothing())


async def addresses(session: AsyncSession) -> list[tuple[str, Code]]:
    rows = select(Address.nominal_id, Address.postcode, Address.premises).order_by(Address.nominal_id)
    return [(row[0], Code(row[1], row[2])) for row in await session.execute(rows)]
