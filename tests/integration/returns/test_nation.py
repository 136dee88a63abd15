"""The picture of a region and of the nation: what the areas have submitted, those missing named."""

import csv
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from google.type.date_pb2 import Date
from prometheus_client import REGISTRY

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell
from services.returns.models import SCHEMA
from tests import servers
from tests.integration.returns.service import DECEMBER, JANUARY, SECONDS, Service, refusal
from tests.integration.returns.test_record import LATER
from tests.unit.returns.builders import december

REGIONS = ("north", "south")
NATION = "england-and-wales"
OCTOBER = Date(year=2004, month=10)
# Twelve areas in two regions; every third has a month that is small throughout.
AREAS = [f"area-{number:02}" for number in range(12)]

TABLES = """
[columns.areas]
name = "text"
ocus = "-> many ocus"
planned = "number"
region = "text"
[columns.ocus]
[columns.return_calendar]
due = "day"
[columns.return_tools]
ethnicity_codes = "text"
[[return_tools]]
id = "1"
from = 2004-04-01
ethnicity_codes = "16+1"
"""


def reference(directory: Path) -> Path:
    ocus = "\n".join(f'[[ocus]]\nid = "{area}"\nfrom = 2004-04-01' for area in AREAS)
    areas = "\n".join(
        f'[[areas]]\nid = "{area}"\nfrom = 2004-04-01\nname = "Area {area}"\nocus = ["{area}"]\n'
        f'planned = 30\nregion = "{REGIONS[place % 2]}"'
        for place, area in enumerate(AREAS)
    )
    (directory / "all.toml").write_text(f"{TABLES}\n{ocus}\n{areas}\n")
    return directory


def counts(area: str, *, women: int = 6) -> dict[Cell, int]:
    """December of one OCU."""
    found = {
        cell: value
        for cell, value in december().items()
        if cell.breakdown != "ocu" and cell.category not in ("male", "female")
    }
    return found | {
        Cell("M1", "ocu", area): 321,
        Cell("M1", "sex", "male"): 321 - women,
        Cell("M1", "sex", "female"): women,
    }


@pytest.fixture
def own(servers: servers.Servers, migrated_returns: servers.Database) -> Iterator[servers.Database]:
    with servers.database(migrated_returns) as database:
        yield database


@pytest_asyncio.fixture
async def service(own: servers.Database, tmp_path: Path) -> AsyncIterator[Service]:
    async with AsyncExitStack() as stack:
        yield await Service.start(own.url(SCHEMA), stack, reference(tmp_path))


async def submitted(service: Service, area: str, **more: int) -> pb.Return:
    return await service.submit(await service.record(counts(area, **more), area=area))


async def headlines(service: Service, name: str) -> list[pb.StreamHeadlineMeasuresResponse]:
    request = pb.StreamHeadlineMeasuresRequest(area=name, first_month=OCTOBER, last_month=DECEMBER)
    office = await service.stub("home_office")
    return [one async for one in office.StreamHeadlineMeasures(request, timeout=SECONDS)]


async def test_the_nation_is_what_its_areas_submitted_and_those_missing_are_named(service: Service) -> None:
    for area in AREAS[:9]:
        await submitted(service, area)
    # Counted, but not sent.
    await service.record(counts(AREAS[9]), area=AREAS[9])

    nation, north = await headlines(service, NATION), await headlines(service, "north")

    assert (nation[0].coverage.areas, list(nation[0].coverage.missing)) == (12, AREAS[9:])
    assert [one.value for one in nation if one.measure == "M1"] == [9 * 321]
    assert [(one.value, one.base) for one in nation if one.measure == "M15"] == [(9 * 321, 9 * 30)]
    assert list(north[0].coverage.missing) == ["area-10"]
    assert [one.value for one in north if one.measure == "M1"] == [5 * 321]
    assert not any(one.HasField("coverage") for one in nation[1:])


async def test_many_returns_at_once_are_kept_or_refused_each_by_itself(service: Service) -> None:
    given = {area: counts(area) for area in AREAS[:3]}
    given[AREAS[1]] |= {Cell("M1", "sex", "male"): 0}

    first = await service.record_all(given, "r-1")
    again = await service.record_all(given, "r-1")
    later = await service.record_all({AREAS[0]: counts(AREAS[0], women=8)})

    assert [one.monthly_return.revision for one in first] == [1, 0, 1]
    assert [one.reason for one in first] == ["", "DOES_NOT_BALANCE", ""]
    assert "M1 by sex" in first[1].detail
    assert again == first
    assert (later[0].monthly_return.revision, later[0].monthly_return.cells_changed) == (2, 2)
    assert [one.heading.area for one in await service.listed()] == [AREAS[0], AREAS[2]]


async def test_each_area_awaits_its_own_return(service: Service) -> None:
    await submitted(service, AREAS[0])
    await service.record(counts(AREAS[1]), area=AREAS[1])
    await service.record(counts(AREAS[2]), area=AREAS[2], month=OCTOBER)
    await submitted(service, AREAS[2])

    await service.deadlines.step()

    shown = [
        (
            REGISTRY.get_sample_value("ppo_return_days_to_due", {"area": area}),
            REGISTRY.get_sample_value("ppo_return_state", {"area": area, "state": "CHECKED"}),
        )
        for area in AREAS[:4]
    ]
    # January's on 8 February, December's on 11 January, October's on 8 November; it is 9 January.
    assert shown == [(30, 0), (2, 1), (-62, 1), (2, 0)]


async def test_a_stream_of_many_that_broke_off_leaves_nothing(service: Service) -> None:
    refused = await refusal(service.record_all({area: counts(area) for area in AREAS}, sent=13))

    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert await service.listed() == []


async def test_a_correction_counts_once_it_is_submitted(service: Service) -> None:
    await submitted(service, AREAS[0], women=6)
    second = await service.record(
        counts(AREAS[0], women=8), area=AREAS[0], cut_off_time=LATER, reason="entered wrongly"
    )

    before = await headlines(service, NATION)
    await service.submit(second)
    after = await headlines(service, NATION)

    assert [one.value for one in before if one.category == "female"] == [6]
    assert [one.value for one in after if one.category == "female"] == [8]


async def test_a_page_of_the_nation_names_who_is_missing(service: Service) -> None:
    await submitted(service, AREAS[0])

    found = b"".join(await service.parts(area=NATION, format=pb.EXPORT_FORMAT_REPORT)).decode()

    assert "From the returns of 1 of 12 areas" in found
    assert re.search(r"Missing: area-01, .*area-11", found)


async def test_a_page_of_the_nation_says_of_how_many_areas_the_month_before_is(service: Service) -> None:
    for area in AREAS[:2]:
        await submitted(service, area)
    more = {"area": AREAS[0], "month": JANUARY, "tool_version": "1", "explanation": "a list was found"}
    await service.submit(await service.record(counts(AREAS[0]), **more))

    parts = await service.parts(area=NATION, month=JANUARY, format=pb.EXPORT_FORMAT_REPORT)

    assert "1 of 12 areas. The month before: of 2 of 12 areas." in b"".join(parts).decode()


async def test_what_one_area_hides_is_not_the_rest_of_the_nation(service: Service) -> None:
    """Two areas: where only one hides its women, the sum less the other's would be hers."""
    await submitted(service, AREAS[0], women=3)
    await submitted(service, AREAS[1], women=20)

    told = b"".join(await service.parts(area=NATION, format=pb.EXPORT_FORMAT_CSV, published=True)).decode()

    [women] = [line for line in told.splitlines() if ",female," in line]
    assert women.split(",")[8] == "~"


async def test_the_nation_hides_what_an_earlier_revision_of_an_area_hid(service: Service) -> None:
    await submitted(service, AREAS[0], women=3)
    corrected = await service.record(
        counts(AREAS[0], women=9), area=AREAS[0], cut_off_time=LATER, reason="six more were found"
    )
    await service.submit(corrected)
    await submitted(service, AREAS[1], women=20)

    assert (await published(service, NATION))["M2", "female"] == "~"


async def published(service: Service, name: str) -> dict[tuple[str, str], str]:
    parts = await service.parts(area=name, format=pb.EXPORT_FORMAT_CSV, published=True)
    rows = csv.DictReader(b"".join(parts).decode().splitlines())
    return {(row["measure"], row["category"]): row["count"] for row in rows}


async def test_a_region_and_the_nation_show_only_sums_of_what_their_areas_show(service: Service) -> None:
    """Several hide their women: the sum of those would still bound each."""
    for area, women in zip(AREAS[:5], (3, 4, 4, 20, 9), strict=True):
        await submitted(service, area, women=women)
    by_area = {area: await published(service, area) for area in AREAS[:5]}

    for name, theirs in ((REGIONS[0], AREAS[0:5:2]), (REGIONS[1], AREAS[1:5:2]), (NATION, AREAS[:5])):
        shown = {key: value for key, value in (await published(service, name)).items() if value != "~"}
        assert ("M2", "female") not in shown
        assert shown["M1", ""] == str(321 * len(theirs))
        for key, value in shown.items():
            assert int(value) == sum(int(by_area[area][key]) for area in theirs)
