"""Every form of a number reads as one text, and what is wrong is said to be wrong."""

import json
import string
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.person.v1 import person_pb2
from services.people import identifiers
from services.people.identifiers import Malformed, canonical, display
from tests.unit.people.builders import CRO, PNC

ASN = person_pb2.IDENTIFIER_KIND_ASN
PRISON = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER
NOMINAL = person_pb2.IDENTIFIER_KIND_NOMINAL_ID

CONFORMANCE = json.loads(
    (Path(__file__).parents[2] / "data" / "identifiers.json").read_text(encoding="utf-8")
)
VECTORS = CONFORMANCE["vectors"]

GENERATED = 20_000
SHARES = (Path(__file__).parents[2] / "data" / "README.md").read_text(encoding="utf-8")

RULES = ("kind", "form", "year", "serial", "check letter")

pnc_ids = st.builds(identifiers.pnc_id, st.integers(1939, 2038), st.integers(1, 9_999_999))
cro_numbers = st.builds(identifiers.cro_number, st.integers(1939, 2038), st.integers(1, 999_999))
sf_numbers = st.builds(identifiers.cro_sf_number, st.integers(1939, 2038), st.integers(1, 999_999))
asns = st.builds(
    identifiers.asn,
    st.integers(0, 99),
    st.from_regex(r"[A-Z0-9]{6}", fullmatch=True),
    st.integers(1, 99_999_999_999),
)
prison_numbers = st.builds(identifiers.prison_number, st.integers(0, 26**3 * 10_000 - 1))


def kind(vector: dict[str, Any]) -> identifiers.Kind:
    return person_pb2.IdentifierKind.Value(f"IDENTIFIER_KIND_{vector['kind'].upper()}")


def read(of: identifiers.Kind, raw: str) -> str | Malformed:
    try:
        return canonical(of, raw)
    except Malformed as refusal:
        return refusal


def misread(of: identifiers.Kind, value: str, wrong: str) -> bool:
    """Whether the wrong text is taken for another number."""
    result = read(of, wrong)
    return isinstance(result, str) and result != canonical(of, value)


def with_one_character_wrong(text: str) -> Iterator[str]:
    for at in range(len(text)):
        for character in string.digits + string.ascii_uppercase + "/ ":
            yield text[:at] + character + text[at + 1 :]


def generated(of: identifiers.Kind, rng: Random) -> str:
    year = rng.randint(1939, 2038)
    makers: dict[identifiers.Kind, Callable[[], str]] = {
        PNC: lambda: identifiers.pnc_id(year, _serial(rng, 7)),
        CRO: lambda: rng.choice([identifiers.cro_number, identifiers.cro_sf_number])(year, _serial(rng, 6)),
        ASN: lambda: identifiers.asn(
            year, f"{rng.randint(1, 99):02d}ZD{rng.randint(0, 9):02d}", _serial(rng, 11)
        ),
        PRISON: lambda: identifiers.prison_number(rng.randrange(26**3 * 10_000)),
    }
    return makers[of]()


def _serial(rng: Random, digits: int) -> int:
    """Of any length, for the short ones are where readers differ."""
    return rng.randint(1, 10 ** rng.randint(1, digits) - 1)


def written(of: identifiers.Kind, text: str) -> list[str]:
    """Every form that the number may be written in."""
    head, slash, serial = text.rpartition("/")
    forms = [text, display(of, text)]
    if of == PNC:
        short = serial.lstrip("0")
        forms += [f"{text[:4]}/{short}", f"{text[2:4]}/{short}", text.replace("/", "")]
    elif of == ASN:
        forms += [f"{head}/{serial.lstrip('0')}", text.replace("/", "")]
    elif of == CRO and not text.startswith("SF"):
        forms += [f"{head.lstrip('0')}{slash}{serial}", text.replace("/", "")]
    return [*forms, *map(str.lower, forms), *(f"\t{form} " for form in forms)]


def share_caught(of: identifiers.Kind) -> float:
    """Of 20,000 numbers as they are kept, each character once replaced by another at random."""
    rng = Random(f"one character wrong {of}")
    caught = tried = 0
    for _ in range(GENERATED):
        text = generated(of, rng)
        for at, right in enumerate(text):
            wrong = rng.choice([one for one in string.digits + string.ascii_uppercase + "/ " if one != right])
            tried += 1
            caught += not misread(of, text, text[:at] + wrong + text[at + 1 :])
    return caught / tried


def with_two_neighbours_swapped(text: str) -> Iterator[str]:
    for at in range(len(text) - 1):
        yield text[:at] + text[at + 1] + text[at] + text[at + 2 :]


@pytest.mark.parametrize("vector", [v for v in VECTORS if "canonical" in v], ids=lambda v: v["raw"])
def test_a_conforming_number_has_one_canonical_text(vector: dict[str, Any]) -> None:
    text = canonical(kind(vector), vector["raw"])

    assert text == vector["canonical"]
    assert display(kind(vector), text) == vector.get("display", display(kind(vector), text))


@pytest.mark.parametrize("vector", [v for v in VECTORS if "refused" in v], ids=lambda v: ascii(v["raw"]))
def test_a_number_that_does_not_conform_is_refused_with_the_rule(vector: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as refusal:
        canonical(kind(vector), vector["raw"])

    assert (refusal.value.kind, refusal.value.rule) == (vector["kind"], vector["refused"])


def test_the_vectors_name_the_check_letters() -> None:
    assert CONFORMANCE["check_letters"] == identifiers.CHECK_LETTERS


@given(year=st.integers(1939, 2038), serial=st.integers(1, 9_999_999))
def test_every_form_of_a_pnc_id_reads_the_same(year: int, serial: int) -> None:
    text = identifiers.pnc_id(year, serial)
    letter = text[-1]
    forms = (text, display(PNC, text), f"{year}/{serial}{letter}", f"{year % 100:02d}/{serial}{letter}")

    read = {
        canonical(PNC, form) for form in (*forms, *map(str.lower, forms), f" {text} ", text.replace("/", ""))
    }

    assert read == {f"{year}/{serial:07d}{letter}"}


@given(year=st.integers(1939, 2038), serial=st.integers(1, 999_999))
def test_every_form_of_a_cro_number_reads_the_same(year: int, serial: int) -> None:
    text = identifiers.cro_number(year, serial)
    short = f"{serial}/{text[-3:]}"

    assert {canonical(CRO, form) for form in (text, short, short.lower(), text.replace("/", ""))} == {text}


@given(sf_numbers)
def test_an_sf_number_is_read_as_it_stands(text: str) -> None:
    assert canonical(CRO, f" {text.lower()} ") == text


@given(prison_numbers)
def test_a_prison_number_is_read_as_it_stands(text: str) -> None:
    assert canonical(PRISON, f" {text.lower()} ") == text


@given(asns)
def test_an_asn_is_read_with_and_without_its_slashes(text: str) -> None:
    assert {canonical(ASN, form) for form in written(ASN, text)} == {text}


@pytest.mark.parametrize("of", [PNC, CRO, ASN, PRISON], ids=identifiers.kind_name)
def test_twenty_thousand_numbers_survive_every_form_they_may_be_written_in(of: identifiers.Kind) -> None:
    rng = Random(f"every form {of}")
    texts = [generated(of, rng) for _ in range(GENERATED)]

    assert [text for text in texts if {read(of, form) for form in written(of, text)} != {text}] == []


@pytest.mark.parametrize("of", [PNC, CRO, ASN, PRISON], ids=identifiers.kind_name)
def test_of_wrong_characters_the_share_is_refused_that_is_told(of: identifiers.Kind) -> None:
    told = f"| `{identifiers.kind_name(of)}` | {share_caught(of):.1%} |"

    assert told in SHARES, told


@given(st.data())
def test_a_character_of_any_script_in_a_number_makes_no_other_number(data: st.DataObject) -> None:
    of = data.draw(st.sampled_from([PNC, CRO, ASN, PRISON]))
    text = generated(of, Random(data.draw(st.integers())))
    at, odd = data.draw(st.integers(0, len(text))), data.draw(st.characters(min_codepoint=128))

    assert not misread(of, text, text[:at] + odd + text[at:])
    assert not misread(of, text, text[:at] + odd + text[at + 1 :])


@given(st.uuids())
def test_a_nominal_id_is_a_lower_case_uuid(nominal_id: object) -> None:
    assert canonical(NOMINAL, str(nominal_id).upper()) == str(nominal_id)


@given(pnc_ids)
def test_no_wrong_character_makes_another_pnc_id(text: str) -> None:
    for written in (text, display(PNC, text), text.replace("/", "")):
        assert not any(misread(PNC, written, wrong) for wrong in with_one_character_wrong(written))


@given(st.one_of(cro_numbers, sf_numbers))
def test_no_wrong_character_makes_another_cro_number(text: str) -> None:
    assert not any(misread(CRO, text, wrong) for wrong in with_one_character_wrong(text))


@given(pnc_ids, st.one_of(cro_numbers, sf_numbers))
def test_no_two_neighbours_swapped_make_another_number(pnc_id: str, cro_number: str) -> None:
    assert not any(misread(PNC, pnc_id, wrong) for wrong in with_two_neighbours_swapped(pnc_id))
    assert not any(misread(CRO, cro_number, wrong) for wrong in with_two_neighbours_swapped(cro_number))


@given(year=st.integers(1000, 9999), serial=st.integers(1, 9_999_999))
def test_a_wrong_century_is_always_refused(year: int, serial: int) -> None:
    right = identifiers.pnc_id(1939 + (year - 1939) % 100, serial)
    written = f"{year}{right[4:]}"

    assert right == written or not misread(PNC, right, written)


@given(of=st.sampled_from(person_pb2.IdentifierKind.values()), raw=st.text(max_size=300))
def test_any_text_is_canonical_or_refused_in_words_of_our_own(of: identifiers.Kind, raw: str) -> None:
    result = read(of, raw)

    if isinstance(result, Malformed):
        assert str(result) in {str(Malformed(identifiers.kind_name(of), rule)) for rule in RULES}
    else:
        assert canonical(of, result) == result


def test_a_number_of_no_known_kind_is_refused() -> None:
    with pytest.raises(Malformed, match="kind"):
        canonical(person_pb2.IDENTIFIER_KIND_UNSPECIFIED, "2002/0073319Z")


@given(pnc_ids)
def test_an_identifier_as_typed_is_the_same_one_as_the_canonical(text: str) -> None:
    typed = person_pb2.Identifier(kind=PNC, value=f" {display(PNC, text).lower()}")

    assert (
        identifiers.key(typed) == identifiers.key(person_pb2.Identifier(kind=PNC, value=text)) == (PNC, text)
    )


@pytest.mark.parametrize(("serial", "text"), [(0, "A0000AA"), (10_000, "A0000AB"), (175_759_999, "Z9999ZZ")])
def test_prison_numbers_are_counted_digits_first(serial: int, text: str) -> None:
    assert identifiers.prison_number(serial) == text
