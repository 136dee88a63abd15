"""A month is counted in the database as it is by hand: each person once, as they were at its last instant."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ppo.custody.v1 import custody_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.returns import balance, definitions
from services.runtime import database as runtime
from services.tracking import counting, days
from services.tracking.counting import Area, Month
from services.tracking.models import SCHEMA
from services.tracking.store import months as store
from tests.integration.tracking import by_hand, running
from tests.integration.tracking.by_hand import Merge, Stretch
from tests.integration.tracking.register import CONVICT, PREVENT, Connection, Register
from tests.servers import Database, Servers

OCTOBER, NOVEMBER, DECEMBER, JANUARY = (
    Month(date(2004, 10, 1)),
    Month(date(2004, 11, 1)),
    Month(date(2004, 12, 1)),
    Month(date(2005, 1, 1)),
)
OCUS = ("D3", "E3")
AREA = Area(OCUS, {"birmingham-yot": OCUS}, {"D3": "D3", "D3-2": "D3", "E3": "E3"})
NEIGHBOUR = Area(("K1",), {}, {"K1": "K1"})
# One youth offending team for both.
SHARED = {"two-area-yot": (*OCUS, "K1")}
BOTH = {"here": Area(OCUS, SHARED, {}), "there": Area(("K1",), SHARED, {})}
NOMINALS = ("a", "b", "c", "d")
NEGATIVE, POSITIVE = custody_pb2.TEST_RESULT_NEGATIVE, custody_pb2.TEST_RESULT_POSITIVE
TABLES = (
    "delivery, notice, progress, drug_test, fact, detention_count, stage, ownership, nominal_merge, episode"
)


@pytest.fixture(scope="module")
def own(servers: Servers) -> Iterator[Database]:
    with running.migrated(servers) as template, servers.database(template) as database:
        yield database


@pytest.fixture
def register(own: Database) -> Iterator[Register]:
    with psycopg.connect(own.url(SCHEMA), options=f"-c search_path={SCHEMA} -c timezone=UTC") as connection:
        yield empty(connection)


def empty(connection: Connection) -> Register:
    connection.execute(f"TRUNCATE {TABLES}, person CASCADE")
    return Register(connection)


def count(own: Database, register: Register, month: Month, area: Area = AREA) -> dict[counting.Cell, int]:
    return count_all(own, register, month, {"here": area})["here"]


def count_all(
    own: Database, register: Register, month: Month, areas: Mapping[str, Area]
) -> dict[str, dict[counting.Cell, int]]:
    """By the service's own query, through its own connection."""
    register.connection.commit()

    async def ask() -> list[counting.Row]:
        database = runtime.Database(own.url(SCHEMA), SCHEMA)
        async with database.snapshot() as session:
            rows = await store.cells(session, counting.parameters(month, areas))
        await database.close()
        return rows

    rows = [row for row in asyncio.run(ask()) if row.measure != counting.MEMBERS]
    return {
        name: counting.cells((row for row in rows if row.area == name), area) for name, area in areas.items()
    }


def part(cells: dict[counting.Cell, int], measure: str, breakdown: str) -> dict[str, int]:
    return {
        cell.category: value for cell, value in cells.items() if cell[:2] == (measure, breakdown) and value
    }


def failed(cells: dict[counting.Cell, int], before: int | None) -> list[str]:
    counts = [(definitions.cell(*cell), value) for cell, value in cells.items()]
    return [str(one) for one in balance.imbalances(counts, before, OCUS)]


def day(number: int) -> datetime:
    """Of the three months; the first is the last of September."""
    return datetime(2004, 9, 30, tzinfo=UTC) + timedelta(days=number)


# ---- any history


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Stretch], list[Merge], dict[str, list[tuple[datetime, str]]]]:
    """No nominal has two registrations at once; two who are one person may have."""
    stretches, merges, owners = list[Stretch](), list[Merge](), dict[str, list[tuple[datetime, str]]]()
    for place, nominal in enumerate(NOMINALS):
        marks = sorted(draw(st.sets(st.integers(0, 95), max_size=4)))
        for at in range(0, len(marks), 2):
            start, end = day(marks[at]), day(marks[at + 1]) if at + 1 < len(marks) else None
            ocu = draw(st.sampled_from([*OCUS, "K1"]))
            stretches.append(Stretch(f"{nominal}{at}", nominal, start, end, CONVICT, ocu))
        if place < len(NOMINALS) - 1:
            merges += draw(_merges(nominal, NOMINALS[place + 1 :]))
        owners[nominal] = draw(_owners())
    return stretches, merges, owners


@st.composite
def _merges(draw: st.DrawFn, nominal: str, others: Sequence[str]) -> list[Merge]:
    """Each into one that comes later, so that none lives on in itself."""
    marks = sorted(draw(st.sets(st.integers(0, 95), max_size=4)))
    return [
        Merge(
            nominal,
            draw(st.sampled_from(others)),
            *(day(one) + timedelta(hours=1) for one in marks[at : at + 2]),
        )
        for at in range(0, len(marks), 2)
    ]


@st.composite
def _owners(draw: st.DrawFn) -> list[tuple[datetime, str]]:
    whose = st.sampled_from([*OCUS, "K1", "birmingham-yot", ""])
    days = sorted(draw(st.sets(st.integers(0, 95), max_size=2)))
    # A merge leaves whose case somebody's was as it was known: here all was known from the start.
    return [(day(one) + timedelta(hours=2), draw(whose)) for one in days]


@settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(history=histories())
def test_the_database_counts_what_is_counted_by_hand_and_months_follow(
    own: Database,
    register: Register,
    history: tuple[list[Stretch], list[Merge], dict[str, list[tuple[datetime, str]]]],
) -> None:
    stretches, merges, owners = history
    register = empty(register.connection)
    written(register, stretches, merges, owners)

    def owner(nominal: str, at: datetime) -> str:
        return next((whose for since, whose in reversed(owners[nominal]) if since <= at), "")

    before = None
    for month in (OCTOBER, NOVEMBER, DECEMBER):
        cells = count(own, register, month)
        both = count_all(own, register, month, {"here": AREA, "there": NEIGHBOUR})

        assert both == {"here": cells, "there": count(own, register, month, NEIGHBOUR)}
        expected = by_hand.counted(stretches, merges, owner, AREA.owners, month.start, month.end)
        totals = {cell: value for cell, value in expected.items() if cell[1] == "total"}
        assert {cell: cells[counting.Cell(*cell)] for cell in totals} == totals
        assert failed(cells, before) == []
        before = cells[counting.Cell("M0")]


def written(
    register: Register,
    stretches: Sequence[Stretch],
    merges: Sequence[Merge],
    owners: dict[str, list[tuple[datetime, str]]],
) -> None:
    for nominal in NOMINALS:
        register.person(nominal)
        for since, whose in owners[nominal]:
            register.owned(nominal, whose, since)
    for one in stretches:
        register.episode(one.nominal_id, one.start, one.end, ocu=one.nominating_ocu)
    for merge in merges:
        register.merge(*merge)


# ---- what is counted of whom


def test_attributes_are_those_at_the_months_last_instant_in_london(own: Database, register: Register) -> None:
    born = date(1979, 1, 1)
    first = register.person("birthday-at-midnight", born=(born, born))
    open_date = register.person("year-alone", born=(date(1986, 1, 1), date(1986, 12, 31)), ethnicity="A4")
    nothing = register.person("nothing-known", born=(None, None), sex=0, ethnicity="")
    for nominal in (first, open_date, nothing):
        register.episode(nominal, day(2))
    # In summer London's midnight is an hour before that of UTC.
    register.episode(register.person("gone"), day(1), datetime(2004, 9, 30, 23, tzinfo=UTC), reason=2)

    december, october = count(own, register, DECEMBER), count(own, register, OCTOBER)

    assert part(december, "M1", "age_band") == {"18-25": 2, "not recorded": 1}
    assert part(count(own, register, JANUARY), "M1", "age_band") == {"26+": 1, "18-25": 1, "not recorded": 1}
    assert part(december, "M1", "sex") == {"male": 2, "not recorded": 1}
    assert part(december, "M1", "ethnicity") == {"W1": 1, "O1": 1, "not recorded": 1}
    assert part(october, "M5", "reason") == {"moved away": 1}
    assert december[counting.Cell("M20")] == 2
    assert failed(december, 3) == []


def test_a_partial_date_leaves_an_age_open_only_where_it_does(own: Database, register: Register) -> None:
    register.episode(register.person("a", born=(date(1986, 1, 1), date(1986, 12, 31))), day(2))

    assert part(count(own, register, OCTOBER), "M1", "age_band") == {"not recorded": 1}
    assert part(count(own, register, DECEMBER), "M1", "age_band") == {"18-25": 1}


def test_who_is_born_on_29_february_is_of_age_on_the_1st_of_march(own: Database, register: Register) -> None:
    register.episode(register.person("a", born=(date(1988, 2, 29), date(1988, 2, 29))), day(2))

    months = (Month(date(2006, 2, 1)), Month(date(2006, 3, 1)))

    assert [part(count(own, register, one), "M1", "age_band") for one in months] == [
        {"under 18": 1},
        {"18-25": 1},
    ]


def test_a_case_of_another_area_is_not_counted_and_one_that_moved_is_said_to_have(
    own: Database, register: Register
) -> None:
    register.episode(register.person("a"), day(2))
    register.owned("a", "D3", day(2))
    register.owned("a", "K1", day(70))

    november, december = count(own, register, NOVEMBER), count(own, register, DECEMBER)

    assert [november[counting.Cell(one)] for one in ("M0", "M1", "MOVED")] == [1, 1, 0]
    assert [december[counting.Cell(one)] for one in ("M0", "M1", "MOVED")] == [0, 0, -1]
    assert failed(december, 1) == []


def test_who_grows_out_of_prevent_and_deter_is_added_and_counts_in_m24_that_month_too(
    own: Database, register: Register
) -> None:
    register.person("a")
    register.episode("a", day(2), day(70), strand=PREVENT)
    register.episode("a", day(70))
    register.owned("a", "birmingham-yot", day(2))
    register.owned("a", "D3", day(70))

    november, december = count(own, register, NOVEMBER), count(own, register, DECEMBER)

    assert [november[counting.Cell(one)] for one in ("M0", "M1", "M24")] == [0, 0, 1]
    assert part(november, "M24", "team") == {"birmingham-yot": 1}
    assert [december[counting.Cell(one)] for one in ("M0", "ADDED", "REMOVED", "M24")] == [1, 1, 0, 1]
    assert failed(december, 0) == []


def test_a_case_of_a_team_of_two_areas_is_counted_in_that_of_the_home(
    own: Database, register: Register
) -> None:
    """Else in that of who nominated, where the team serves it; else in that of its first OCU."""
    for nominal, nominated, home in (("a", "D3", "K1"), ("b", "K1", "D3"), ("c", "K1", ""), ("d", "Z9", "")):
        register.person(nominal)
        register.episode(nominal, day(2), strand=PREVENT, ocu=nominated)
        register.owned(nominal, "two-area-yot", day(2), home=home)
    register.episode(register.person("e"), day(2), ocu="D3")
    register.owned("e", "two-area-yot", day(2), home="K1")

    counted = count_all(own, register, NOVEMBER, BOTH)

    assert [counted[area][counting.Cell("M24")] for area in ("here", "there")] == [2, 2]
    assert part(counted["there"], "M24", "team") == {"two-area-yot": 2}
    assert [counted[area][counting.Cell("M1")] for area in ("here", "there")] == [0, 1]
    assert part(counted["there"], "M1", "ocu") == {"K1": 1}
    assert counted == {name: count(own, register, NOVEMBER, area) for name, area in BOTH.items()}


def test_a_child_who_moves_from_one_area_of_a_team_to_the_other_is_said_to_have_moved(
    own: Database, register: Register
) -> None:
    register.episode(register.person("a"), day(2), ocu="D3")
    for home, since in (("D3", day(2)), ("K1", day(70))):
        register.owned("a", "two-area-yot", since, home=home)

    november, december = (count_all(own, register, one, BOTH) for one in (NOVEMBER, DECEMBER))

    assert [november[area][counting.Cell("M0")] for area in BOTH] == [1, 0]
    assert [december[area][counting.Cell("M0")] for area in BOTH] == [0, 1]
    assert [december[area][counting.Cell("MOVED")] for area in BOTH] == [-1, 1]


def test_a_detention_that_was_counted_and_then_found_to_be_a_ppos_counts_once(
    own: Database, register: Register
) -> None:
    register.episode(register.person("a"), day(2))
    december = datetime(2004, 12, 30, 22, tzinfo=UTC)
    register.detention("detention-1", "D3-2", date(2005, 1, 1), POSITIVE)
    register.detention("detention-2", "E3", date(2004, 12, 31), NEGATIVE)
    register.drug_test("a", "detention-1", "D3-2", december, POSITIVE, 1)
    # Told again after a merge was taken back, and one of another that was withdrawn.
    register.drug_test("a", "detention-1", "D3-2", december, POSITIVE, 1)
    register.drug_test("a", "detention-2", "E3", december, POSITIVE, 1, withdrawn=december)

    found, after = count(own, register, DECEMBER), count(own, register, JANUARY)

    assert [found[counting.Cell(one)] for one in ("M7", "M8", "M9")] == [2, 1, 1]
    assert after[counting.Cell("M7")] == 0
    assert part(found, "M9", "drug_class") == {"heroin": 1}
    assert part(found, "M7", "ocu") == {"D3": 1, "E3": 1}


def test_of_408_tests_13_were_of_ppos_and_9_positive(own: Database, register: Register) -> None:
    register.episode(register.person("a"), day(2))
    for number in range(395):
        register.detention(f"other-{number}", "D3", date(2004, 12, 9), POSITIVE)
    for number in range(13):
        result, drug = (POSITIVE, 1) if number < 9 else (NEGATIVE, 0)
        register.drug_test("a", f"ppo-{number}", "E3", day(80), result, drug)

    found = count(own, register, DECEMBER)

    assert [found[counting.Cell(one)] for one in ("M7", "M8", "M9")] == [408, 13, 9]


def test_positions_are_those_of_the_last_instant_and_make_the_stages(
    own: Database, register: Register
) -> None:
    for place, position in enumerate(
        (pb.POSITION_CUSTODY_REMAND, pb.POSITION_SUPERVISED, pb.POSITION_OTHER_OR_NOT_KNOWN, 0)
    ):
        nominal = register.person(f"n{place}")
        register.episode(nominal, day(2))
        if position:
            register.stage(nominal, day(3), position)
            register.stage(nominal, JANUARY.start, pb.POSITION_AT_LIBERTY_TARGETED)

    found = count(own, register, DECEMBER)

    assert part(found, "M1", "position") == {
        "custody remand": 1,
        "supervised": 1,
        "other or not known": 1,
        "not recorded": 1,
    }
    assert [found[counting.Cell(f"M{number}")] for number in range(10, 15)] == [1, 0, 1, 0, 2]


def test_sentences_count_by_the_days_from_the_offence(own: Database, register: Register) -> None:
    register.episode(register.person("a"), day(2))
    for late, court in ((10, "birmingham-magistrates"), (10, "birmingham-crown"), (64, "birmingham-crown")):
        on = date(2004, 12, 20)
        register.progress(
            "a", pb.PROGRESS_KIND_SENTENCED, on, offence=on - timedelta(days=late), agency=court
        )
    register.progress("a", pb.PROGRESS_KIND_SENTENCED, date(2005, 1, 1), offence=date(2004, 12, 30))

    found = count(own, register, DECEMBER)

    assert part(found, "M16", "days") == {"10": 2, "64": 1}
    assert part(found, "M16", "court") == {"birmingham-magistrates": 1, "birmingham-crown": 2}
    assert part(found, "M16", "ocu") == {"D3": 3}
    assert part(found, "M16", "ocu_days") == {"D3: 10": 2, "D3: 64": 1}
    assert part(found, "M16", "court_days") == {
        "birmingham-magistrates: 10": 1,
        "birmingham-crown: 10": 1,
        "birmingham-crown: 64": 1,
    }
    assert failed(found, 1) == []


def test_a_drug_need_counts_as_it_was_known_last_and_with_it_who_is_treated(
    own: Database, register: Register
) -> None:
    need, none = pb.PROGRESS_KIND_DRUG_NEED_IDENTIFIED, pb.PROGRESS_KIND_NO_DRUG_NEED
    started, ended = pb.PROGRESS_KIND_TREATMENT_STARTED, pb.PROGRESS_KIND_TREATMENT_ENDED
    known = {"a": (need, started), "b": (need, started, ended), "c": (need, none), "d": (started,)}
    for nominal, kinds in known.items():
        register.episode(register.person(nominal), day(2))
        for later, kind in enumerate(kinds):
            register.progress(nominal, kind, date(2004, 11, 10 + later))

    found = count(own, register, DECEMBER)

    assert part(found, "M17", "treatment") == {"in treatment": 1, "not in treatment": 1}
    assert part(found, "M17", "ocu_treatment") == {"D3: in treatment": 1, "D3: not in treatment": 1}
    assert part(found, "M1", "drug_need") == {"need identified": 2, "no need": 1, "not recorded": 1}
    october = count(own, register, OCTOBER)
    assert part(october, "M17", "total") == {}
    assert part(october, "M1", "drug_need") == {"not recorded": 4}
    assert failed(found, 4) == failed(october, 0) == []


def test_appointments_count_by_what_became_of_them(own: Database, register: Register) -> None:
    register.episode(register.person("a"), day(2))
    kinds = (
        pb.PROGRESS_KIND_ATTENDED,
        pb.PROGRESS_KIND_UNACCEPTABLE_ABSENCE,
        pb.PROGRESS_KIND_FOLLOWED_UP,
        pb.PROGRESS_KIND_RE_ENGAGED,
    )
    for kind in kinds:
        register.progress("a", kind, date(2004, 12, 7), agency="probation-4")

    found = count(own, register, DECEMBER)

    assert part(found, "M18", "attendance") == {"attended": 1, "unacceptable absence": 1}
    assert part(found, "M18", "agency") == {"probation-4": 2}
    assert part(found, "M18", "ocu_attendance") == {"D3: attended": 1, "D3: unacceptable absence": 1}
    assert part(found, "M18", "agency_attendance") == {
        "probation-4: attended": 1,
        "probation-4: unacceptable absence": 1,
    }
    assert part(found, "FOLLOW_UPS", "agency") == part(found, "RE_ENGAGED", "agency") == {"probation-4": 1}
    assert [found[counting.Cell(one)] for one in ("M18", "FOLLOW_UPS", "RE_ENGAGED")] == [2, 1, 1]


def test_a_notice_counts_once_for_an_organisation_by_its_first_limit(
    own: Database, register: Register
) -> None:
    register.episode(register.person("a"), day(2))
    due, confirmed, retracted = day(80), pb.NOTICE_STATE_CONFIRMED, pb.NOTICE_STATE_RETRACTED
    in_time, late = due - timedelta(hours=1), due + timedelta(hours=1)
    reception, housing = pb.NOTICE_TYPE_PRISON_RECEPTION, pb.NOTICE_TYPE_HOUSING_FAST_TRACK
    register.notice("a", reception, [("E3", due, in_time, confirmed), ("E3", late, late, confirmed)])
    register.notice(
        "a", reception, [("BMI", due, late, confirmed), ("dsb", due, None, confirmed)], prison="BMI"
    )
    register.notice("a", housing, [("housing", due, None, confirmed), ("housing", due, None, retracted)])

    found = count(own, register, DECEMBER)

    assert part(found, "M19", "limit") == {
        "reception within 1 working day, in time": 1,
        "reception within 1 working day, late": 1,
        "reception within 1 working day, not recorded": 1,
    }
    assert part(found, "M19", "ocu_limit") == {
        "D3: reception within 1 working day, in time": 1,
        "D3: reception within 1 working day, late": 1,
        "D3: reception within 1 working day, not recorded": 1,
    }
    assert part(found, "M19", "prison_limit") == {
        "other or not known: reception within 1 working day, in time": 1,
        "BMI: reception within 1 working day, late": 1,
        "BMI: reception within 1 working day, not recorded": 1,
    }
    assert failed(found, 1) == []


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ([day(-13)], "in time"),
        # The day on which it is 3 months.
        ([datetime(2004, 9, 18, 22, 30, tzinfo=UTC)], "in time"),
        ([datetime(2004, 9, 18, 23, 30, tzinfo=UTC)], "late"),
        # At 28 days again: the first one counts.
        ([day(-13), day(51)], "in time"),
        ([day(30), day(51)], "late"),
    ],
)
def test_a_release_counts_by_whether_it_was_told_three_months_before(
    own: Database, register: Register, told: list[datetime], outcome: str
) -> None:
    register.episode(register.person("a"), day(-100))
    release, kind = datetime(2004, 12, 18, tzinfo=UTC), pb.NOTICE_TYPE_PRE_RELEASE_DUE
    for ahead, at in zip(("3 months", "28 days"), told, strict=False):
        sent = [("D3", release, None, pb.NOTICE_STATE_CONFIRMED)]
        register.notice("a", kind, sent, cause=f"stay since 2004/{ahead}", prison="BMI", told=[at])

    found = count(own, register, DECEMBER)

    assert part(found, "M19", "limit") == {f"release told 3 months before, {outcome}": 1}
    assert part(found, "M19", "prison_limit") == {f"BMI: release told 3 months before, {outcome}": 1}


@pytest.mark.parametrize("moved", [False, True])
def test_a_release_told_before_a_merge_and_after_it_counts_once(
    own: Database, register: Register, moved: bool
) -> None:
    """`moved`: the date that was told first is not in the month."""
    kind, release = pb.NOTICE_TYPE_PRE_RELEASE_DUE, datetime(2004, 12, 18, tzinfo=UTC)
    for nominal, ahead, due, at in (
        ("a", "3 months", release + timedelta(days=30 if moved else 0), day(-13)),
        ("b", "28 days", release, day(51)),
    ):
        register.episode(register.person(nominal), day(-100))
        sent = [(one, due, None, pb.NOTICE_STATE_CONFIRMED) for one in ("D3", "dsb")]
        register.notice(nominal, kind, sent, cause=f"stay since 2004/{ahead}", prison="BMI", told=[at, at])
    register.merge("a", "b", day(20))

    found = count(own, register, DECEMBER)

    assert part(found, "M19", "limit") == {"release told 3 months before, in time": 2}
    assert failed(found, 1) == []


def test_a_release_counts_in_the_month_of_its_last_date_and_not_once_it_is_cancelled(
    own: Database, register: Register
) -> None:
    kind, confirmed = pb.NOTICE_TYPE_PRE_RELEASE_DUE, pb.NOTICE_STATE_CONFIRMED
    first, last = datetime(2004, 12, 18, tzinfo=UTC), datetime(2005, 1, 20, tzinfo=UTC)
    for nominal, state in (("a", confirmed), ("b", pb.NOTICE_STATE_RETRACTED)):
        register.episode(register.person(nominal), day(-100))
        sent = [("D3", first, None, confirmed), ("D3", last, None, state)]
        cause = f"stay of {nominal}/3 months"
        register.notice(nominal, kind, sent, cause=cause, told=[day(-13), day(40)])

    december, january = (part(count(own, register, one), "M19", "limit") for one in (DECEMBER, JANUARY))

    assert december == {}
    assert january == {"release told 3 months before, in time": 1}


def test_who_came_seventeen_months_ago_is_followed_up_once(own: Database, register: Register) -> None:
    came, sentenced = date(2004, 10, 4), pb.PROGRESS_KIND_SENTENCED
    register.episode(register.person("a"), datetime(2004, 10, 4, 12, tzinfo=UTC))
    for months, late in ((-18, 5), (-6, 20), (-2, 30), (8, 40)):
        on = days.shift(came, months)
        register.progress("a", sentenced, on, offence=on - timedelta(days=late))
    register.stage("a", datetime(2004, 12, 1, 12, tzinfo=UTC), pb.POSITION_CUSTODY_SENTENCED)
    register.stage("a", datetime(2004, 12, 31, 12, tzinfo=UTC), pb.POSITION_SUPERVISED)

    year, seventeen = (count(own, register, Month(one)) for one in (date(2005, 10, 1), date(2006, 3, 1)))

    assert part(year, "M22", "follow_up") == {"followed up": 1}
    assert part(year, "M21", "follow_up") == {"not yet followed up": 1}
    assert part(year, "OFFENCES", "window") == {"before": 2, "after": 1}
    assert part(year, "LIBERTY_DAYS", "window") == {"before": 366, "after": 365 - 30}
    assert part(year, "M23", "window_days") == {"before 20": 1, "before 30": 1, "after 40": 1}
    assert part(seventeen, "CONVICTIONS", "window") == {"before": 2, "after": 1}
    assert part(seventeen, "M22", "follow_up") == {"followed up before": 1}
    assert failed(year, 1) == failed(seventeen, 1) == []


def test_nothing_is_counted_of_nobody(own: Database, register: Register) -> None:
    assert not any(count(own, register, DECEMBER).values())


def test_months_without_end_follow_each_other(own: Database, register: Register) -> None:
    for number in range(40):
        nominal = register.person(f"n{number}")
        register.episode(nominal, day(number), day(number + 37) if number % 3 else None)

    told = [count(own, register, month) for month in (OCTOBER, NOVEMBER, DECEMBER, JANUARY)]

    for before, this in pairwise(told):
        assert failed(this, before[counting.Cell("M0")]) == []
