"""The cohort of December 2004, counted from its rows: what was published for Birmingham comes out."""

from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path

import psycopg
import pytest

from ppo.custody.v1 import custody_pb2
from services.console import population
from services.returns import measures
from services.returns.areas import NEEDS, Areas
from services.returns.definitions import Cell
from services.runtime.reference import Reference
from services.tracking import days
from services.tracking.counting import Area, Month
from services.tracking.models import SCHEMA
from tests.integration.tracking import running
from tests.integration.tracking.register import Register
from tests.integration.tracking.test_counts import count, empty
from tests.servers import Database, Servers

BIRMINGHAM = Path(__file__).parents[3] / "deploy" / "reference" / "birmingham"
OCUS = ("D1", "D2", "D3", "E1", "E2", "E3", "F1", "F2", "F3")
AREA = Area(OCUS, {"birmingham-yot": OCUS}, {ocu: ocu for ocu in OCUS})
DECEMBER = Month(date(2004, 12, 1))
POSITIVE, NEGATIVE = custody_pb2.TEST_RESULT_POSITIVE, custody_pb2.TEST_RESULT_NEGATIVE


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[Database]:
    with running.migrated(servers) as template, servers.database(template) as database:
        yield database


@pytest.fixture
def register(own: Database) -> Iterator[Register]:
    with psycopg.connect(own.url(SCHEMA), options=f"-c search_path={SCHEMA} -c timezone=UTC") as connection:
        yield empty(connection)


def enrol(register: Register) -> None:
    """Everybody who was on the list at some time in December, and their tests and everybody else's."""
    people = {
        one.person.identifiers[0].value: one.person for one in population.nominals() if one.person.identifiers
    }
    for row in population.month():
        person = people.get(row.identifier.value) or population.cast().nominee
        register.person(
            row.source_reference,
            born=(days.earliest(person.birth_date), days.latest(person.birth_date)),
            sex=person.sex,
            ethnicity=person.ethnicity_code,
        )
        ended = row.HasField("effective_end_time")
        register.episode(
            row.source_reference,
            row.effective_start_time.ToDatetime(UTC),
            row.effective_end_time.ToDatetime(UTC) if ended else None,
            ocu=row.nominating_ocu,
            reason=row.removal_reason,
        )
    for number in range(13):
        result, drug = (POSITIVE, 1) if number < 9 else (NEGATIVE, 0)
        at = DECEMBER.start.replace(day=2 + number)
        register.drug_test("ppo-0001", f"ppo-{number}", OCUS[number % 9], at, result, drug)
    for number in range(395):
        register.detention(f"other-{number}", OCUS[number % 9], date(2004, 12, 9), POSITIVE)


def test_the_cohort_of_december_gives_what_was_published(own: Database, register: Register) -> None:
    enrol(register)

    counts = {Cell(*cell): value for cell, value in count(own, register, DECEMBER, AREA).items()}

    told = {(one.measure, one.category): one for one in measures.headlines(counts, 270)}
    assert [told[place, ""].value for place in ("M1", "M5", "M7", "M8", "M9")] == [321, 21, 408, 13, 9]
    assert told["M2", "male"].value >= 315
    assert {place: told[place].per_cent for place in (("M3", "18-25"), ("M8", ""))} == {
        ("M3", "18-25"): 53,
        ("M8", ""): 3,
    }
    assert told["M4", "non-White"].per_cent == 25
    assert told["M4", "not recorded"].per_cent == 26
    assert told["M9", ""].per_cent == 69


def test_every_count_that_was_published_of_birmingham_comes_out(own: Database, register: Register) -> None:
    figures = Areas(Reference.load(BIRMINGHAM, needs=NEEDS)).published("birmingham", DECEMBER.first)
    enrol(register)

    counts = {Cell(*cell): value for cell, value in count(own, register, DECEMBER, AREA).items()}

    told = {(one.measure, one.category): one for one in measures.headlines(counts, 270)}
    for one in figures:
        if one.words[0].isdigit():
            shown = told[one.measure, one.category]
            assert one.words in (str(shown.value), f"{shown.per_cent}%"), one
    # Its own shares of the stages were not published.
    assert not [one for one in figures if one.measure in ("M10", "M11", "M12", "M13", "M14")]
