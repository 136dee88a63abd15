"""What people take away: workbook, CSV, JSON and a page, exact or as it may be published."""

import csv
import json
import re
from html.parser import HTMLParser
from io import BytesIO, StringIO

import grpc
from openpyxl import load_workbook

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell
from tests.integration.returns.service import JANUARY, Service, refusal
from tests.integration.returns.test_life import ATTENDANCE, RIGHTED, additions
from tests.integration.returns.test_record import LATER
from tests.unit.returns.builders import after, december, totals

SOURCE = "Erol and Millie, report on Birmingham, March 2005"
CSV, JSON, REPORT = pb.EXPORT_FORMAT_CSV, pb.EXPORT_FORMAT_JSON, pb.EXPORT_FORMAT_REPORT


async def page(service: Service, **asked: object) -> str:
    return b"".join(await service.parts(format=REPORT, **asked)).decode()


async def document(service: Service, **asked: object) -> dict[str, object]:
    found: dict[str, object] = json.loads(b"".join(await service.parts(format=JSON, **asked)))
    return found


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.charts += tag == "svg"
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def test_a_page_is_whole_with_its_charts_in_it_and_fetches_nothing(service: Service) -> None:
    days = {Cell("M16"): 3, Cell("M16", "days", "20"): 1, Cell("M16", "days", "70"): 2}
    await service.record(december() | days)

    found = await page(service)

    tags = Tags()
    tags.feed(found)
    assert tags.open == []
    assert tags.charts == 7
    assert re.findall(r'(?:src|href)="|@import|url\(', found) == []
    assert "PPOs in Birmingham Community Safety Partnership, December 2004" in found


async def test_sentences_whose_days_are_not_known_are_bars_of_their_own(service: Service) -> None:
    days = {"137": 1, "not recorded": 5, "other or not known": 2}
    await service.record(
        december() | totals(M16=8) | {Cell("M16", "days", day): times for day, times in days.items()}
    )

    found = await page(service)

    drawn = found[found.index("<h2>Days from offence to sentence</h2>") :]
    drawn = drawn[: drawn.index("</svg>")]
    assert re.findall(r">([^<>]+)</text>", drawn)[:8] == [
        *(
            "0 to 30 days",
            "31 to 60 days",
            "61 to 90 days",
            "91 to 180 days",
            "181 to 365 days",
            "over 365 days",
        ),
        *("not recorded", "other or not known"),
    ]
    assert re.findall(r">([^<>]+)</text>", drawn)[8:] == ["0", "0", "0", "1", "0", "0", "5", "2"]


async def test_the_same_return_is_the_same_bytes_in_every_form(service: Service) -> None:
    await service.record()

    for form in (pb.EXPORT_FORMAT_WORKBOOK, CSV, JSON, REPORT):
        assert await service.parts(format=form) == await service.parts(format=form)


async def test_what_somebody_wrote_is_text_on_a_page(service: Service) -> None:
    await service.record(reason="<script>alert(1)</script>")

    assert "<script>" not in await page(service)


async def test_a_table_of_a_return_has_every_cell(service: Service) -> None:
    await service.record()

    rows = list(csv.DictReader(StringIO(b"".join(await service.parts(format=CSV)).decode())))

    cells = {(row["measure"], row["breakdown"], row["category"]): row for row in rows}
    assert cells["M1", "sex", "male"]["count"] == "315"
    assert cells["M8", "headline", ""]["per_cent"] == "3"
    assert len([row for row in rows if row["breakdown"] != "headline"]) == len(december())


async def test_a_publication_has_no_count_of_one_to_four_in_any_form(service: Service) -> None:
    await service.record()

    told = await document(service, published=True)
    rows = list(csv.DictReader(StringIO(b"".join(await service.parts(format=CSV, published=True)).decode())))
    workbook = load_workbook(BytesIO(b"".join(await service.parts(published=True))))

    measures = told["measures"]
    assert isinstance(measures, list)
    assert {"counts", "checks", "revisions", "return"}.isdisjoint(told)
    for counts in (
        [one["count"] for one in measures],
        [int(one["count"]) for one in rows if one["count"] != "~"],
    ):
        assert not {1, 2, 3, 4} & set(counts)
    assert workbook.sheetnames == ["form", "measures", "notes on definitions"]
    shown = {row[:3]: row[3] for row in workbook["measures"].iter_rows(values_only=True)}
    assert shown["M8", "PPOs among those tested", None] == "~"
    assert shown["M9", "PPOs who tested positive", None] == "~"
    assert shown["M7", "DIP drug tests in the area", None] == 408


async def test_a_published_page_draws_nothing_of_what_it_does_not_show(service: Service) -> None:
    counts = december() | {Cell("M1", "sex", "male"): 315, Cell("M1", "age_band", "under 18"): 2}
    counts[Cell("M1", "age_band", "26+")] = 149
    await service.record(counts)

    found = await page(service, published=True)

    age = found[found.index("<h2>Age</h2>") : found.index("<h2>Ethnicity</h2>")]
    assert age.count("~ not shown") == 2
    # One is large enough, and of nobody is it not recorded.
    assert re.findall(r'<rect [^>]*width="([\d.]+)"', age).count("0.0") == age.count("<rect") - 1 == 1
    assert "Checks" not in found
    assert "Revisions" not in found


async def test_figures_that_were_published_stand_beside_an_exact_return_alone(service: Service) -> None:
    """They would show what our own publication leaves out: 13 tested, of whom 9 were positive."""
    await service.record()

    exact, published = await page(service), await page(service, published=True)

    assert "<td class=n>13, 3%</td>" in exact
    assert "13, 3%" not in published
    assert "<th class=n>Published" not in published


async def test_where_it_was_published_stands_behind_an_exact_return(service: Service) -> None:
    await service.record()

    exact, published = await page(service), await page(service, published=True)
    told = await document(service)
    workbook = load_workbook(BytesIO(b"".join(await service.workbook())))

    assert "<td>“Over 98 per cent were male”</td>" in exact
    assert "published elsewhere" not in published
    male = ("M2", "male", "over 98%", "2004-12", "Over 98 per cent were male", SOURCE)
    assert male in list(workbook["published elsewhere"].iter_rows(values_only=True))
    assert isinstance(told["published_elsewhere"], list)
    assert male in [tuple(one.values()) for one in told["published_elsewhere"]]


async def test_a_page_tells_how_the_month_follows_from_the_one_before(service: Service) -> None:
    await service.record()
    await service.record(after(300), month=JANUARY)

    found = await page(service, month=JANUARY)

    balance = found[found.index("<h2>Balance</h2>") : found.index("<h2>Checks</h2>")]
    words = [re.sub("<[^>]+>", " ", row).split() for row in balance.split("</tr>")]
    assert [row[-1] for row in words if row] == ["300", "+9", "-21", "0", "0", "288"]


async def test_months_are_a_line_and_one_alone_is_none(service: Service) -> None:
    await service.record()
    alone = await page(service)
    await service.record(after(300), month=JANUARY)

    several = await page(service, month=JANUARY)

    assert ("<polyline" in alone, "<polyline" in several) == (False, True)
    assert re.search(r"<td>PPOs</td><td class=n>321</td><td class=n>\d+</td>", several)


async def test_months_of_which_nothing_may_be_shown_are_no_line(service: Service) -> None:
    few = december() | totals(M0=321, ADDED=0, REMOVED=0, NEW_PERSONS=0, M5=2, M6=2)
    few = {cell: value for cell, value in few.items() if cell.breakdown != "reason"}
    await service.submit(await service.record(few))
    await service.record(few, month=JANUARY)

    assert "<polyline" in await page(service, month=JANUARY)
    assert "<polyline" not in await page(service, month=JANUARY, published=True)


async def test_a_revision_does_not_show_what_the_published_one_before_hid(service: Service) -> None:
    few = december() | {Cell("M5", "reason", "deceased"): 2}
    await service.submit(await service.record(few))
    more = few | {Cell("M5", "reason", "deceased"): 6, Cell("M5", "reason", "no longer a threat"): 11}
    await service.record(more, cut_off_time=LATER, reason="four deaths were told late")

    told = await document(service, published=True)

    measures = told["measures"]
    assert isinstance(measures, list)
    shown = {one["category"]: one["count"] for one in measures if one["measure"] == "M5"}
    assert shown["deceased"] == "~"


async def test_a_workbook_tells_every_revision_and_why(service: Service) -> None:
    await service.submit(await service.record())
    second = await service.record(RIGHTED, cut_off_time=LATER, reason="a test was entered twice")
    await service.add(second, *additions(ATTENDANCE))

    workbook = load_workbook(BytesIO(b"".join(await service.workbook())))

    told = list(workbook["revisions"].iter_rows(values_only=True))
    assert (2, None, "why", None, None, None, "a test was entered twice") in told
    assert (2, None, "M7", 408, 407, None, None) in told
    assert [row[2] for row in told if row[0] == 1] == ["CHECKED", "SUBMITTED"]
    sources = {row[3]: row[5] for row in workbook["breakdowns"].iter_rows(values_only=True)}
    assert sources["attended"] == "probation's own list"


async def test_a_measure_stands_beside_the_month_before(service: Service) -> None:
    await service.record()
    await service.record(after(300), month=JANUARY)

    told = await document(service, month=JANUARY)
    [people] = [one for one in await service.measures(JANUARY, JANUARY) if one.measure == "M1"]

    measures = told["measures"]
    assert isinstance(measures, list)
    assert [one["month_before"] for one in measures if one["measure"] == "M1"] == [321]
    assert people.value_before == 321


async def test_a_workbook_is_of_one_area_alone(service: Service) -> None:
    refused = await refusal(service.parts(area="england-and-wales"))

    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
