"""The workbook of a return: what it says, and that it says it in the same bytes each time."""

from datetime import timedelta
from io import BytesIO
from zipfile import ZipFile

import pytest
from openpyxl import Workbook, load_workbook

from services.returns import api
from tests.integration.returns.service import Service
from tests.unit.returns.builders import december


async def opened(service: Service) -> Workbook:
    return load_workbook(BytesIO(b"".join(await service.workbook())))


def rows(workbook: Workbook, sheet: str) -> list[tuple[object, ...]]:
    return list(workbook[sheet].iter_rows(values_only=True))


async def test_a_workbook_has_the_form_and_all_that_stands_behind_it(service: Service) -> None:
    await service.record()

    workbook = await opened(service)

    assert workbook.sheetnames == [
        "form",
        "measures",
        "breakdowns",
        "checks",
        "revisions",
        "published elsewhere",
        "notes on definitions",
    ]
    form = {row[0]: row[1] for row in rows(workbook, "form")}
    assert form["Area"] == "Birmingham Community Safety Partnership"
    assert (form["Month"], form["Due"], form["State"]) == ("December 2004", "2005-01-11", "CHECKED")
    assert form["M1  PPOs in the scheme"] == 321
    assert ("M8", "PPOs among those tested", None, 13, 408, 3, None, "13, 3%") in rows(workbook, "measures")
    assert ("M1", "PPOs in the scheme", "sex", "male", 315, "counted") in rows(workbook, "breakdowns")
    assert len(rows(workbook, "breakdowns")) == 1 + len([cell for cell in december() if cell.category])


async def test_the_checks_of_a_workbook_hold_and_say_what_was_not_checked(service: Service) -> None:
    await service.record()

    _, *checks = rows(await opened(service), "checks")

    assert {row[-1] for row in checks} == {"holds", "not checked"}
    assert [row[0] for row in checks if row[-1] == "not checked"] == ["M0"]


async def test_the_same_revision_is_the_same_bytes_whenever_and_whatever_came_after(
    service: Service,
) -> None:
    await service.record()
    first = await service.workbook()
    service.clock.at += timedelta(days=3)
    await service.record()

    assert await service.workbook(revision=1) == first
    assert await service.workbook(revision=2) != first


async def test_no_part_of_a_workbook_bears_the_time_of_its_making(service: Service) -> None:
    await service.record()

    with ZipFile(BytesIO(b"".join(await service.workbook()))) as archive:
        assert {part.date_time for part in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = archive.read("docProps/core.xml").decode()
    assert core.count("2005-01-09T12:00:00Z") == 2


async def test_what_a_sender_wrote_is_never_a_formula(service: Service) -> None:
    await service.record(reason='=HYPERLINK("x")')

    sheet = (await opened(service))["form"]

    [cell] = [row[1] for row in sheet.iter_rows() if row[0].value == "Why it was closed again"]
    assert (cell.value, cell.data_type) == ('=HYPERLINK("x")', "s")


async def test_a_workbook_comes_in_parts(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    await service.record()
    [whole] = await service.workbook()
    monkeypatch.setattr(api, "PART_BYTES", 1_000)

    parts = await service.workbook()

    assert len(parts) == -(-len(whole) // 1_000)
    assert b"".join(parts) == whole
