"""The register beside another's list: every line and every PPO in exactly one kind, and nothing dropped."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.reconciliation import (
    AGREED,
    Comparison,
    Entry,
    Kind,
    Known,
    Lack,
    Line,
    Register,
    Unreadable,
    canonical,
    compare,
    mended,
)
from services.people import identifiers

TODAY, SINCE = date(2004, 12, 31), date(2004, 9, 6)
YESTERDAY, TOMORROW = TODAY - timedelta(days=1), TODAY + timedelta(days=1)
CARTER, MARSH = "2001/0171310W", "1979/0163001B"


def entry(pnc: str = CARTER, **changes: Any) -> Entry:
    return Entry("nominal-1", (pnc,) if pnc else (), SINCE, owner="D3")._replace(**changes)


def line(pnc: str = CARTER, **changes: Any) -> Line:
    return Line(2, pnc, SINCE)._replace(**changes)


def compared(*lines: Line | Unreadable, entries: tuple[Entry, ...] = (), **known: Known | None) -> Comparison:
    """`known` by n and the number of the line whose identifier it is."""
    by_line = {f"n{one.number}": canonical(one.pnc) for one in lines if isinstance(one, Line)}
    held = {by_line[name]: one for name, one in known.items() if one is not None}
    return compare(lines, Register(entries, held, TODAY))


@pytest.mark.parametrize(
    ("changes", "kind", "says"),
    [
        ({}, Kind.AGREES, ()),
        ({"pnc": "01/0171310W", "owner": "D3"}, Kind.AGREES, ()),
        ({"pnc": "01/171310w"}, Kind.OTHER_FORM, ()),
        ({"pnc": "2001/171310W", "start": None}, Kind.OTHER_FORM, ()),
        ({"start": TODAY}, Kind.DIFFERS, (f"starts on {TODAY} there, on {SINCE} here",)),
        ({"end": TOMORROW}, Kind.DIFFERS, (f"ends on {TOMORROW} there, never here",)),
        ({"owner": "E3"}, Kind.DIFFERS, ("is E3's there, D3's here",)),
        ({"end": TODAY}, Kind.ENDED_THERE, (f"on {TODAY} there",)),
        ({"end": YESTERDAY, "owner": "E3"}, Kind.ENDED_THERE, (f"on {YESTERDAY} there",)),
    ],
)
def test_a_line_of_a_ppo(changes: dict[str, Any], kind: Kind, says: tuple[str, ...]) -> None:
    found = compared(line(**changes), entries=(entry(),))

    assert [(one.kind, one.says) for one in found.lines] == [(kind, says)]
    assert [(one.lack, one.lines) for one in found.entries] == [(Lack.NONE, (2,))]
    assert found.agrees == (kind in AGREED)


@pytest.mark.parametrize(
    ("changes", "known", "kind"),
    [
        ({}, None, Kind.UNKNOWN),
        ({}, Known("nominal-2"), Kind.NEVER_REGISTERED),
        ({}, Known("nominal-2", start=SINCE, end=YESTERDAY), Kind.ENDED_HERE),
        ({"end": TOMORROW}, Known("nominal-2", start=SINCE, end=YESTERDAY), Kind.ENDED_HERE),
        ({}, Known("nominal-2", start=SINCE), Kind.ENDED_HERE),
        ({"end": YESTERDAY}, Known("nominal-2", start=SINCE, end=YESTERDAY), Kind.AGREES),
        ({"end": YESTERDAY}, Known("nominal-2", start=SINCE, end=TODAY), Kind.DIFFERS),
    ],
)
def test_a_line_of_nobody_on_the_register(changes: dict[str, Any], known: Known | None, kind: Kind) -> None:
    found = compared(line(**changes), n2=known)

    assert [one.kind for one in found.lines] == [kind]
    assert found.agrees == (kind in AGREED)


def test_the_identifier_of_a_record_that_was_merged_names_who_lives_on() -> None:
    living = entry(pncs=(CARTER, MARSH))

    found = compared(line(), line(MARSH, number=3), entries=(living,), n3=Known("nominal-1", merged=True))

    assert [(one.kind, one.entry) for one in found.lines] == [(Kind.AGREES, living), (Kind.MERGED, living)]
    assert [(one.lack, one.lines) for one in found.entries] == [(Lack.NONE, (2, 3))]


def test_an_identifier_that_leads_to_a_ppo_by_the_index_alone_is_that_ppos() -> None:
    found = compared(line(MARSH), entries=(entry(""),), n2=Known("nominal-1", merged=True))

    assert (found.lines[0].kind, found.entries[0].lack) == (Kind.MERGED, Lack.NONE)


def test_who_stands_there_twice_is_named_with_the_first_line() -> None:
    found = compared(line(), line("01/171310W", number=3), entries=(entry(),))

    assert [one.kind for one in found.lines] == [Kind.AGREES, Kind.REPEATED]
    assert found.lines[1].says == ("is the person on line 2",)


def test_a_wrong_check_letter_names_the_ppo_that_seems_to_be_meant() -> None:
    found = compared(line("01/171310X"), entries=(entry(),))

    assert found.lines[0].kind is Kind.MALFORMED
    assert found.lines[0].says == ("its check letter is wrong", f"{CARTER} is on the register")
    assert [(one.lack, one.lines) for one in found.entries] == [(Lack.MISWRITTEN, (2,))]


def test_a_line_that_is_right_outweighs_one_that_is_miswritten() -> None:
    found = compared(line("01/171310X"), line(number=3), entries=(entry(),))

    assert [(one.lack, one.lines) for one in found.entries] == [(Lack.NONE, (2, 3))]


@pytest.mark.parametrize("pnc", ["", "01/171310", "1898/171310W", "A1234BC"])
def test_what_is_wrong_beyond_its_check_letter_means_nobody(pnc: str) -> None:
    found = compared(line(pnc), entries=(entry(),))

    assert (found.lines[0].kind, found.lines[0].entry) == (Kind.MALFORMED, None)
    assert found.entries[0].lack is Lack.MISSING


def test_a_ppo_without_a_pnc_id_cannot_be_listed() -> None:
    assert [one.lack for one in compared(entries=(entry(""),)).entries] == [Lack.WITHOUT_PNC]


def test_a_line_that_cannot_be_read_differs() -> None:
    found = compared(Unreadable(7, "start", "is not a date"))

    assert (found.lines[0].kind, found.lines[0].says) == (Kind.UNREADABLE, ("start: is not a date",))
    assert not found.agrees


# ---- whatever the two hold

SERIALS = st.integers(1, 30)
DAYS = st.none() | st.dates(SINCE, TOMORROW)


def written(serial: int, how: int) -> str:
    whole = identifiers.pnc_id(2001, serial)
    year, rest = whole.split("/")
    forms = (whole, f"{year[2:]}/{rest}", f"{year[2:]}/{rest.lstrip('0')}", whole.lower(), f" {whole} ")
    letter = "A" if whole[-1] != "A" else "B"
    return [*forms, whole[:-1] + letter, "", f"{serial}"][how]


LINES: st.SearchStrategy[Line | Unreadable] = st.one_of(
    st.builds(Unreadable, st.just(0), st.just("row"), st.just("is not JSON")),
    st.builds(
        Line,
        st.just(0),
        st.builds(written, SERIALS, st.integers(0, 7)),
        DAYS,
        DAYS,
        st.sampled_from(["", "D3", "E3"]),
    ),
)
PEOPLE = st.lists(
    st.tuples(st.sets(SERIALS, max_size=2), st.dates(SINCE, TODAY), st.sampled_from(["", "D3"])), max_size=12
)
KNOWN = st.dictionaries(
    SERIALS.map(lambda serial: identifiers.pnc_id(2001, serial)),
    st.builds(Known, st.integers(0, 14).map(str), st.booleans(), DAYS, DAYS),
)
People = list[tuple[set[int], date, str]]


def registered(people: People) -> list[Entry]:
    """Nobody has another's identifier."""
    taken: set[int] = set()
    entries = []
    for number, (serials, start, owner) in enumerate(people):
        pncs = tuple(identifiers.pnc_id(2001, serial) for serial in sorted(serials - taken))
        taken |= serials
        entries.append(Entry(str(number), pncs, start, owner=owner))
    return entries


@given(st.lists(LINES, max_size=30), PEOPLE, KNOWN)
def test_every_line_and_every_ppo_falls_in_exactly_one_kind(
    drawn: list[Line | Unreadable], people: People, known: dict[str, Known]
) -> None:
    lines = [one._replace(number=number) for number, one in enumerate(drawn, start=1)]
    entries = registered(people)

    found = compare(lines, Register(entries, known, TODAY))

    assert [one.line for one in found.lines] == lines
    assert [one.entry for one in found.entries] == entries
    named = {(one.line.number, one.entry.nominal_id) for one in found.lines if one.entry}
    assert named == {(number, one.entry.nominal_id) for one in found.entries for number in one.lines}
    listed = {one.entry.nominal_id for one in found.lines if one.entry and one.kind is not Kind.MALFORMED}
    assert listed == {one.entry.nominal_id for one in found.entries if one.lack is Lack.NONE}


@given(PEOPLE, st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_the_registers_own_list_agrees_in_whatever_form_it_is_written(
    people: People, forms: list[int]
) -> None:
    entries = [one for one in registered(people) if one.pncs]
    lines = [
        Line(number, written(int(one.pncs[0][5:12]), how), one.start, owner=one.owner)
        for number, (one, how) in enumerate(zip(entries, forms, strict=False), start=1)
    ]

    assert compare(lines, Register(entries, {}, TODAY)).agrees


@given(SERIALS, st.sampled_from(identifiers.CHECK_LETTERS))
def test_one_check_letter_alone_is_right_and_is_found(serial: int, letter: str) -> None:
    whole = identifiers.pnc_id(2001, serial)

    assert mended(whole[:-1] + letter) == whole
