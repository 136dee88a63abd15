"""What a boundary that moves changes: the stretches of postcodes, and the cases of those who live there."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.police.areas import Code, Start, Starts, Timeline
from services.tracking import days
from services.tracking.casefile import CaseFile, Entry, Tenure


def changes(before: Starts, after: Starts) -> tuple[list[Start], list[Start]]:
    """The starts that come, and those that go."""
    old, new = ({(code, *start) for code in known for start in known[code]} for known in (before, after))
    return sorted(new - old), sorted(old - new)


def located(nominal_id: str, address: Code, line: Timeline, version: int, now: datetime) -> Entry:
    """The fact that an address lies there, by a version of the areas."""
    told = pb.AddressLocated(postcode=address.postcode, premises=address.premises, area_version=version)
    for start, area in line:
        told.areas.add(effective_start_date=day(start), area=area)
    name = f"AddressLocated/{nominal_id}/{address.postcode}/{address.premises}/{version}"
    return Entry(name, told, now, now)


def moved(file: CaseFile, facts: Sequence[Entry], now: datetime) -> tuple[str, str, datetime] | None:
    """Who would have the case no longer, who would instead, and from when on; None where nobody would."""
    horizon = max([now, *(days.midnight(start) for entry in facts for start in _starts(entry))])
    before = file.tenures(horizon)[0]
    after = replace(file, entries=[*file.entries, *facts]).tenures(horizon)[0]
    turns = sorted({tenure.start for tenure in (*before, *after)})
    owners = ((_owner(before, turn), _owner(after, turn), turn) for turn in turns)
    return next((each for each in owners if each[0] != each[1]), None)


def _owner(tenures: Iterable[Tenure], at: datetime) -> str:
    held = [tenure.decision.ownership.owner for tenure in tenures if tenure.start <= at]
    return held[-1] if held else ""


def _starts(entry: Entry) -> Iterator[date]:
    assert isinstance(entry.message, pb.AddressLocated)
    for since in entry.message.areas:
        given = since.effective_start_date
        yield date(given.year, given.month, given.day)


def day(on: date) -> Date:
    return Date(year=on.year, month=on.month, day=on.day)
