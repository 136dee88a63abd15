"""Each person is on the list once, whichever nominals were one person then, and month follows month."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from ppo.person.v1 import person_pb2, screening_pb2
from services.returns import balance, definitions
from services.tracking.counting import Area, Cell, Listed, Other, counted
from services.tracking.headcount import Head, Merge, Stretch, heads

OCTOBER, NOVEMBER, DECEMBER, JANUARY = (
    datetime(2004, 10, 1, tzinfo=UTC),
    datetime(2004, 11, 1, tzinfo=UTC),
    datetime(2004, 12, 1, tzinfo=UTC),
    datetime(2005, 1, 1, tzinfo=UTC),
)
MONTHS = [(OCTOBER, NOVEMBER), (NOVEMBER, DECEMBER), (DECEMBER, JANUARY)]
CONVICT = screening_pb2.STRAND_CATCH_AND_CONVICT
NOMINALS = ("a", "b", "c", "d")
OCUS = ("D3", "E3")
AREA = Area(OCUS, OCUS)


def day(number: int) -> datetime:
    """Of the three months; the first is the last of September."""
    return OCTOBER + timedelta(days=number - 1)


def stretch(nominal: str, start: int, end: int | None = None, merged: bool = False) -> Stretch:
    until = None if end is None else day(end)
    return Stretch(f"{nominal}{start}", nominal, day(start), until, CONVICT, "D3", merged=merged)


@st.composite
def lives(draw: st.DrawFn) -> list[Stretch]:
    """No nominal has two registrations at once; two who are one person may have."""
    found = []
    for nominal in NOMINALS:
        marks = sorted(draw(st.sets(st.integers(0, 95), max_size=4)))
        for place in range(0, len(marks), 2):
            start, end, *_ = *marks[place:], None
            assert start is not None
            found.append(stretch(nominal, start, end))
    return found


@st.composite
def histories(draw: st.DrawFn) -> list[Merge]:
    """Each into one that comes later, so that none lives on in itself."""
    found = []
    for place, nominal in enumerate(NOMINALS[:-1]):
        marks = sorted(draw(st.sets(st.integers(0, 95), max_size=4)))
        for at in range(0, len(marks), 2):
            into = draw(st.sampled_from(NOMINALS[place + 1 :]))
            times = [day(one) + timedelta(hours=1) for one in marks[at : at + 2]]
            found.append(Merge(nominal, into, *times))
    return found


@given(lives(), histories())
def test_who_is_on_the_list_at_a_months_end_was_on_it_before_the_next(
    stretches: list[Stretch], merges: list[Merge]
) -> None:
    for this, following in pairwise(MONTHS):
        at_end = {head.nominal_id for head in heads(stretches, merges, *this) if head.at_end}
        before = [one.nominal_id for head in heads(stretches, merges, *following) for one in head.before]

        assert sorted(at_end) == sorted(before)


@given(lives(), histories())
def test_each_person_is_there_once_and_what_comes_and_goes_makes_the_end(
    stretches: list[Stretch], merges: list[Merge]
) -> None:
    for month in MONTHS:
        found = heads(stretches, merges, *month)

        assert len({head.nominal_id for head in found}) == len(found)
        assert all(head.was_on + head.added - len(head.removals) == head.at_end for head in found)


owners = st.fixed_dictionaries({nominal: st.sampled_from([*OCUS, "K1"]) for nominal in NOMINALS})


@given(lives(), histories(), owners)
@example(
    [stretch("a", 0), stretch("b", 3)], [Merge("a", "b", day(40), day(70))], dict.fromkeys(NOMINALS, "K1")
)
def test_the_months_balance_over_merges_within_an_area_and_between_areas(
    stretches: list[Stretch], merges: list[Merge], owner: Mapping[str, str]
) -> None:
    before = None
    for month in MONTHS:
        listed = [told(head, owner) for head in heads(stretches, merges, *month)]
        cells = counted(listed, [], AREA)
        counts = [(definitions.cell(*cell), value) for cell, value in cells.items()]

        assert [str(one) for one in balance.imbalances(counts, before, OCUS)] == []
        before = cells[Cell("M0")]


def told(head: Head, owner: Mapping[str, str]) -> Listed:
    return Listed(
        person=person_pb2.Person(),
        strand=head.strand,
        snapshot=head.snapshot,
        before=bool(head.before),
        at_end=head.at_end,
        added=head.added,
        removals=head.removals,
        position=0,
        nominating_ocu=head.nominating_ocu,
        owner=owner[head.nominal_id],
        owner_before=owner[head.before[0].nominal_id] if head.before else "",
        merged=[Other(one.strand, one.nominating_ocu, owner[one.nominal_id]) for one in head.before[1:]],
        parted=head.was_on and not head.before,
    )


def figures(stretches: Sequence[Stretch], merges: Sequence[Merge]) -> list[tuple[int, ...]]:
    """M0, ADDED, REMOVED and MERGED of the three months."""
    found = []
    for month in MONTHS:
        cells = counted(
            [told(head, dict.fromkeys(NOMINALS, "D3")) for head in heads(stretches, merges, *month)], [], AREA
        )
        totals = {cell.measure: value for cell, value in cells.items() if cell.breakdown == "total"}
        found.append(tuple(totals[name] for name in ("M0", "ADDED", "REMOVED", "MERGED")))
    return found


def test_two_who_are_found_to_be_one_count_once_from_then_on() -> None:
    both = [stretch("a", 0), stretch("b", 2, 40, merged=True)]

    assert figures(both, [Merge("b", "a", day(40))]) == [(2, 1, 0, 0), (1, 0, 0, -1), (1, 0, 0, 0)]


def test_one_who_is_found_to_be_two_counts_twice_again() -> None:
    both = [stretch("a", 0), stretch("b", 2)]

    assert figures(both, [Merge("b", "a", day(40), day(70))]) == [(2, 1, 0, 0), (1, 0, 0, -1), (2, 0, 0, 1)]


def test_who_is_added_and_merged_in_one_month_was_never_another_person() -> None:
    both = [stretch("a", 0), stretch("b", 35, 40, merged=True)]

    assert figures(both, [Merge("b", "a", day(40))]) == [(1, 0, 0, 0)] * 3


def test_who_was_removed_before_the_merge_is_not_removed_again() -> None:
    both = [stretch("a", 0), stretch("b", 0, 20)]

    assert figures(both, [Merge("b", "a", day(40))]) == [(1, 0, 1, 0), (1, 0, 0, 0), (1, 0, 0, 0)]


def test_a_registration_that_goes_on_under_another_nominal_is_no_removal() -> None:
    assert figures([stretch("a", 0)], [Merge("a", "b", day(40), day(70))]) == [(1, 0, 0, 0)] * 3
