"""Names, dates and identifiers as people really give them: found where they are known, never an error."""

import asyncio
import unicodedata

import pytest

from ppo.custody.v1 import custody_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from tests import builders
from tests.integration.custody.running import Desk, outcome, refused, somebody, unnumbered

DETAILS_GIVEN = screening_pb2.IDENTITY_BASIS_DETAILS_GIVEN
SERIALS = iter(range(500_000, 600_000))
LONG = "Adolphblaine" * 25


def named(given: str, family: str, born: str) -> person_pb2.Person:
    """A person on the register's index, with a PNC id that no other test uses."""
    return builders.person(given, family, born, identifiers=[builders.pnc_id(next(SERIALS))])


def nominals(answer: pb.Answer) -> set[str]:
    return {each.nominal_id for each in answer.screening.candidates}


def scripts() -> dict[str, str]:
    """A word of the first letters of every script that Unicode has, by the name of the script."""
    found: dict[str, str] = {}
    for code in range(0x41, 0x20000):
        letter = chr(code)
        if unicodedata.category(letter) in ("Lu", "Ll", "Lo") and "LETTER" in unicodedata.name(letter, ""):
            script = unicodedata.name(letter).split(" LETTER")[0]
            if len(found.setdefault(script, "")) < 8:
                found[script] += letter
    return {script: word for script, word in found.items() if len(word) == 8}


# ---- identifiers that do not fit


async def test_the_pnc_id_of_one_ppo_with_the_name_of_another_may_be_either(desk: Desk) -> None:
    one, other = somebody(), somebody()
    both = {await desk.flagged(one), await desk.flagged(other)}

    answer = await desk.ask(
        person_pb2.Person(name=other.name, birth_date=other.birth_date, identifiers=one.identifiers)
    )

    assert outcome(answer) == "POSSIBLE"
    assert nominals(answer) == both


async def test_the_pnc_id_of_a_ppo_under_a_name_nobody_has_may_be_that_ppo(desk: Desk) -> None:
    ppo, stranger = somebody(), somebody()
    nominal_id = await desk.flagged(ppo)

    answer = await desk.ask(
        person_pb2.Person(name=stranger.name, birth_date=stranger.birth_date, identifiers=ppo.identifiers)
    )

    assert (outcome(answer), nominals(answer)) == ("POSSIBLE", {nominal_id})
    assert answer.screening.identity_basis == DETAILS_GIVEN


async def test_the_pnc_id_of_somebody_else_with_the_name_of_a_ppo_may_be_the_ppo(desk: Desk) -> None:
    ppo, other = somebody(), somebody()
    nominal_id = await desk.flagged(ppo)
    await desk.nominal(other)

    answer = await desk.ask(
        person_pb2.Person(name=ppo.name, birth_date=ppo.birth_date, identifiers=other.identifiers)
    )

    assert (outcome(answer), nominals(answer)) == ("POSSIBLE", {nominal_id})


async def test_an_unknown_identifier_leaves_a_strong_match_of_the_name(desk: Desk) -> None:
    ppo = somebody()
    nominal_id = await desk.flagged(ppo)
    given = unnumbered(ppo)
    given.identifiers.append(builders.pnc_id(next(SERIALS)))

    answer = await desk.ask(given)

    assert (outcome(answer), nominals(answer)) == ("POSSIBLE", {nominal_id})
    assert answer.screening.identity_basis == DETAILS_GIVEN


async def test_two_ppos_identifiers_at_once_may_be_either(desk: Desk) -> None:
    one, other = somebody(), somebody()
    both = {await desk.flagged(one), await desk.flagged(other)}

    answer = await desk.ask(person_pb2.Person(identifiers=[*one.identifiers, *other.identifiers]))

    assert (outcome(answer), nominals(answer)) == ("POSSIBLE", both)


async def test_a_ppo_is_flagged_by_any_identifier_of_the_nominals_that_were_merged(desk: Desk) -> None:
    lost, living = somebody(), somebody()
    merged, into = await desk.flagged(lost), await desk.nominal(living)
    await desk.merge(merged, into)
    by_nominal = person_pb2.Person(identifiers=[builders.nominal_id(merged)])

    answers = [
        await desk.ask(each)
        for each in (
            by_nominal,
            person_pb2.Person(identifiers=lost.identifiers),
            person_pb2.Person(identifiers=living.identifiers),
            lost,
            living,
        )
    ]

    assert [outcome(answer) for answer in answers] == ["FLAGGED"] * 5
    assert {nominal_id for answer in answers for nominal_id in nominals(answer)} == {into}


async def test_who_was_merged_is_found_by_either_name(desk: Desk) -> None:
    lost, living = somebody(), somebody()
    into = await desk.flagged(living)
    await desk.merge(await desk.nominal(lost), into)

    answers = [await desk.ask(unnumbered(each)) for each in (lost, living)]

    assert [outcome(answer) for answer in answers] == ["POSSIBLE"] * 2
    assert all(nominals(answer) == {into} for answer in answers)


# ---- names and dates


@pytest.mark.parametrize(
    ("held", "given"),
    [
        # Transliterated.
        (("Mohammed", "Al-Rashidi", "1981-04-17"), ("Muhammad", "Alrashidi", "1981-04-17")),
        (("Aleksandr", "Tchaikovsky", "1978-09-02"), ("Alexander", "Chaikovsky", "1978-09-02")),
        (("Łukasz", "Wójcik", "1983-06-21"), ("Lukasz", "Wojcik", "1983-06-21")),
        (("Nguyễn", "Thị Hằng", "1984-11-05"), ("Nguyen", "Thi Hang", "1984-11-05")),
        (("Jürgen", "Großmüller", "1969-02-11"), ("Juergen", "Grossmueller", "1969-02-11")),
        # Double-barrelled, with apostrophes, with particles.
        (("Dwayne", "Ashworth-Pemberton", "1980-03-30"), ("Dwayne", "Ashworth Pemberton", "1980-03-30")),
        (("Dwight", "Featherstone-Haugh", "1979-08-14"), ("Dwight", "FeatherstoneHaugh", "1979-08-14")),
        (("Seán", "O'Shaughnessy", "1976-12-01"), ("Sean", "OShaughnessy", "1976-12-01")),
        (("Pádraig", "O’Muircheartaigh", "1972-07-19"), ("Padraig", "O'Muircheartaigh", "1972-07-19")),
        (("Joost", "van der Kloosterman", "1977-10-10"), ("Joost", "Vanderkloosterman", "1977-10-10")),
        # Given and family name the other way round.
        (("Kwabena", "Oppong-Mensah", "1982-01-23"), ("Oppong-Mensah", "Kwabena", "1982-01-23")),
        # One word alone.
        (("", "Sivasubramaniam", "1985-05-27"), ("", "Sivasubramaniam", "1985-05-27")),
        (("", "Thiruchelvam", "1985-05-28"), ("Thiruchelvam", "", "1985-05-28")),
        # 29 February; and typed into a year that has none as the day before or after.
        (("Leopoldine", "Schaltjahr", "1976-02-29"), ("Leopoldine", "Schaltjahr", "1976-02-29")),
        (("Bartholomew", "Leapington", "1980-02-29"), ("Bartholomew", "Leapington", "1980-02-28")),
        # A day, a month or a year that nobody knows, on either side.
        (("Ignatius", "Quartermaine", "1971-00-00"), ("Ignatius", "Quartermaine", "1971-05-13")),
        (("Cornelius", "Weatherspoon", "1970-06-15"), ("Cornelius", "Weatherspoon", "1970-06-00")),
        (("Thaddeus", "Blenkinsop", "1968-06-15"), ("Thaddeus", "Blenkinsop", "0000-00-00")),
        # 300 characters.
        ((LONG, "Wolfeschlegelstein", "1966-06-06"), (LONG, "Wolfeschlegelstein", "1966-06-06")),
        (("Hubert", LONG[::-1], "1967-07-07"), ("Hubert", LONG[::-1], "1967-07-07")),
        # In their own scripts, composed and decomposed.
        (("Ольга", "Кузнецова", "1975-01-01"), ("Ольга", "Кузнецова", "1975-01-01")),
        (("عبد الرحمن", "الفارسي", "1973-02-02"), ("عبد الرحمن", "الفارسي", "1973-02-02")),
        (("秀英", "欧阳", "1972-03-03"), ("秀英", "欧阳", "1972-03-03")),
        (("ਹਰਪ੍ਰੀਤ", "ਸਿੰਘ", "1971-04-04"), ("ਹਰਪ੍ਰੀਤ", "ਸਿੰਘ", "1971-04-04")),
        (("Zoë", "Brontësdóttir", "1970-05-05"), ("Zoe\u0308", "Bronte\u0308sdo\u0301ttir", "1970-05-05")),
    ],
    ids=lambda one: one[0][:12] + one[1][:12] if isinstance(one, tuple) else None,
)
async def test_a_ppo_is_found_by_a_name_and_date_as_people_give_them(
    desk: Desk, held: tuple[str, str, str], given: tuple[str, str, str]
) -> None:
    nominal_id = await desk.flagged(named(*held))

    answer = await desk.ask(builders.person(*given))

    assert outcome(answer) == "POSSIBLE"
    assert nominal_id in nominals(answer)


async def test_a_name_in_any_script_is_answered_and_not_taken_for_another(desk: Desk) -> None:
    words = scripts()
    assert len(words) > 120

    answers = await asyncio.gather(
        *(desk.ask(builders.person(word, word[::-1], "1951-02-03")) for word in words.values())
    )

    assert {outcome(answer) for answer in answers} <= {"NOT_FLAGGED", "UNKNOWN"}


@pytest.mark.parametrize(
    "name", ["\u202eneill\u202c", "\u200b\u200d", "👮🏽\u200d♀️", "-", "'", " ", "\ufeff", "a\u0300" * 150]
)
async def test_what_is_hardly_a_name_is_answered_too(desk: Desk, name: str) -> None:
    answer = await desk.ask(builders.person(name, name, "1951-02-03"))

    assert outcome(answer) in ("NOT_FLAGGED", "UNKNOWN")


@pytest.mark.parametrize(
    ("born", "code"), [((1981, 2, 29), "BAD"), ((1981, 13, 1), "BAD"), ((1981, 0, 5), ""), ((0, 2, 29), "")]
)
async def test_a_date_that_cannot_be_is_refused_and_one_that_is_partly_known_is_not(
    desk: Desk, born: tuple[int, int, int], code: str
) -> None:
    person = somebody()
    person.birth_date.year, person.birth_date.month, person.birth_date.day = born

    if code:
        async with refused("INVALID_ARGUMENT", "person.birth_date"):
            await desk.check(person)
    else:
        assert outcome(await desk.ask(person)) in ("NOT_FLAGGED", "UNKNOWN")
