"""What a month counts: each person once, and every breakdown sums to its total."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2, screening_pb2
from ppo.tracking.v1 import tracking_pb2 as pb
from services.returns import balance, definitions
from services.tracking.counting import Area, Cell, DrugTest, Listed, counted

END = datetime(2004, 12, 31, 23, 59, 59, tzinfo=UTC)
OCUS = ("D3", "E3", "F2")
AREA = Area(OCUS, {*OCUS, "birmingham-yot"})
SOMEBODY = Listed(
    person=person_pb2.Person(
        birth_date=Date(year=1980, month=3, day=12), sex=person_pb2.SEX_MALE, ethnicity_code="W1"
    ),
    strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
    snapshot=END,
    before=True,
    at_end=True,
    added=0,
    removals=(),
    position=pb.POSITION_SUPERVISED,
    nominating_ocu="E3",
    owner="E3",
    owner_before="E3",
)


@st.composite
def listed(draw: st.DrawFn) -> Listed:
    before, added = draw(st.booleans()), draw(st.integers(0, 2))
    before = before or not added
    at_end = draw(st.booleans())
    owners = st.sampled_from([*OCUS, "birmingham-yot", "K1", ""])
    birth = st.builds(Date, year=st.sampled_from([0, 1979, 1986, 1987]), month=st.integers(0, 12))
    return Listed(
        person=person_pb2.Person(
            birth_date=draw(birth),
            sex=draw(st.sampled_from(person_pb2.Sex.values())),
            ethnicity_code=draw(st.sampled_from(["", "W1", "A4", "B1", "NS", "??"])),
        ),
        strand=draw(st.sampled_from(screening_pb2.Strand.values())),
        snapshot=END,
        before=before,
        at_end=at_end,
        added=added,
        removals=[draw(st.integers(0, 5)) for _ in range(before + added - at_end)],
        position=draw(st.integers(0, 6)),
        nominating_ocu=draw(st.sampled_from(OCUS)),
        owner=draw(owners),
        owner_before=draw(owners),
    )


taken = st.builds(
    DrugTest,
    ocu=st.sampled_from([*OCUS, "K1"]),
    ppo=st.booleans(),
    result=st.sampled_from([custody_pb2.TEST_RESULT_NEGATIVE, custody_pb2.TEST_RESULT_POSITIVE]),
    drug=st.sampled_from(custody_pb2.Drug.values()),
)


@given(st.lists(listed()), st.lists(taken))
def test_whatever_is_counted_balances_with_itself_and_the_month_before(
    people: list[Listed], tested: list[DrugTest]
) -> None:
    cells = counted(people, tested, AREA)

    counts = [(definitions.cell(*cell), value) for cell, value in cells.items()]
    before = sum(
        one.before
        and one.strand != screening_pb2.STRAND_PREVENT_AND_DETER
        and AREA.has(one.owner_before, one.nominating_ocu)
        for one in people
    )
    assert [str(one) for one in balance.imbalances(counts, before, OCUS)] == []


@given(st.lists(listed()))
def test_every_breakdown_sums_to_its_total(people: list[Listed]) -> None:
    cells = counted(people, [], AREA)

    parts = sorted((cell[:2], value) for cell, value in cells.items() if cell.breakdown != "total")
    for (measure, _), values in groupby(parts, key=lambda part: part[0]):
        assert sum(value for _, value in values) == cells[Cell(measure)]


def test_somebody_who_moves_to_another_area_is_not_counted_here() -> None:
    cells = counted([replace(SOMEBODY, owner="K1")], [], AREA)

    assert (cells[Cell("M1")], cells[Cell("MOVED")]) == (0, -1)


def test_a_child_of_prevent_and_deter_counts_in_m24_alone() -> None:
    child = replace(SOMEBODY, strand=screening_pb2.STRAND_PREVENT_AND_DETER, owner="birmingham-yot")

    cells = counted([child], [], AREA)

    assert {cell: value for cell, value in cells.items() if value} == {Cell("M24"): 1}


def test_a_removal_is_counted_by_its_reason_and_one_that_nobody_told_as_not_recorded() -> None:
    moved, not_told, of_later_contract = flagging_pb2.REMOVAL_REASON_MOVED_AWAY, 0, 99

    cells = counted([replace(SOMEBODY, removals=[moved, moved, not_told, of_later_contract])], [], AREA)

    reasons = {cell.category: value for cell, value in cells.items() if cell[:2] == ("M5", "reason")}
    assert reasons == {"moved away": 2, "not recorded": 2}
    assert cells[Cell("M5", "ocu", "E3")] == cells[Cell("M5")] == 4


def test_an_age_that_a_partial_date_leaves_open_is_not_recorded() -> None:
    middle = datetime(2004, 6, 30, tzinfo=UTC)
    born = [Date(year=1986), Date(year=1980)]
    people = [replace(SOMEBODY, snapshot=middle, person=person_pb2.Person(birth_date=one)) for one in born]

    cells = counted(people, [], AREA)

    bands = {cell.category: value for cell, value in cells.items() if cell[:2] == ("M1", "age_band")}
    assert bands == {"not recorded": 1, "18-25": 1}


def test_of_408_tests_13_were_of_ppos_and_9_positive() -> None:
    positive, negative = custody_pb2.TEST_RESULT_POSITIVE, custody_pb2.TEST_RESULT_NEGATIVE
    others = [DrugTest("D3", False, positive)] * 395
    ppos = [DrugTest("E3", True, positive, custody_pb2.DRUG_HEROIN)] * 9 + [
        DrugTest("E3", True, negative)
    ] * 4

    cells = counted([], [*others, *ppos], AREA)

    assert [cells[Cell(measure)] for measure in ("M7", "M8", "M9")] == [408, 13, 9]
    assert cells[Cell("M9", "drug_class", "heroin")] == 9
