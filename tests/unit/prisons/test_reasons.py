"""Each reason code means what the shared table says, on the day of the movement."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.prisons import reasons
from services.prisons.reasons import Absence, Basis, ReleaseKind, Transfer
from services.runtime.reference import InvalidReference, Reference

AT = datetime(2004, 12, 1, 12, tzinfo=UTC)
SHIPPED = Path(__file__).parents[3] / "deploy" / "reference" / "england-and-wales"


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference.load(SHIPPED, needs=reasons.TABLES)


ADMISSIONS = {
    Basis.REMAND: "N V",
    Basis.SENTENCED: "I F W P 25 26 27 29 G J K T",
    Basis.RECALL: "L B Y 24 INTER ELR",
    Basis.RETURN: "A U H R RECA",
    Basis.STOPOVER: "Q S Z",
    Basis.OTHERWISE: "E C O",
    Basis.TRANSFER: "INT",
    Basis.NOT_KNOWN: "XX",
}
RELEASES = {
    ReleaseKind.SUPERVISED: "CR NP PX HR HD DL D1 D2 D3 D4 D5 D6",
    ReleaseKind.UNSUPERVISED: "SC HU HE AU DA DS PF ER RW",
    ReleaseKind.BAILED: "BL BD",
    ReleaseKind.UNLAWFULLY_AT_LARGE: "ESCP UAL UAL_ECL",
    ReleaseKind.DIED: "DEC",
    ReleaseKind.HOSPITAL: "HP",
    ReleaseKind.LEFT_COUNTRY: "DD DE EX RE",
    ReleaseKind.NO_RELEASE: "AS AV",
    ReleaseKind.UNKNOWN: "AR XX",
}


@pytest.mark.parametrize(("meaning", "codes"), ADMISSIONS.items())
def test_an_admission_code_tells_by_what_right(reference: Reference, meaning: Basis, codes: str) -> None:
    assert {reasons.basis(reference, code, AT) for code in codes.split()} == {meaning}


@pytest.mark.parametrize(("meaning", "codes"), RELEASES.items())
def test_a_release_code_tells_into_what(reference: Reference, meaning: ReleaseKind, codes: str) -> None:
    assert {reasons.release_kind(reference, code, AT) for code in codes.split()} == {meaning}


def test_the_tables_hold_the_codes_of_the_page_and_no_other(reference: Reference) -> None:
    admissions = {code for meaning in ADMISSIONS.values() for code in meaning.split()} - {"XX"}
    releases = {code for meaning in RELEASES.values() for code in meaning.split()} - {"XX", "AR"}

    assert {row.id for row in reference.rows("admission_reasons", at=AT)} == admissions
    assert {row.id for row in reference.rows("release_reasons", at=AT)} == releases


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("NOTR", Transfer.NORMAL),
        ("OVCROW", Transfer.OVERCROWDING),
        ("SEC", Transfer.SECURITY),
        ("MED", Transfer.MEDICAL),
        ("PROD", Transfer.PRODUCTION),
        ("COMP", Transfer.COMPASSIONATE),
        ("ACCVISIT", Transfer.VISITS),
        ("XX", Transfer.UNKNOWN),
    ],
)
def test_a_transfer_code_tells_why(reference: Reference, code: str, meaning: Transfer) -> None:
    assert reasons.transfer(reference, code, AT) == meaning


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("CRT", Absence.COURT),
        ("VL", Absence.COURT),
        ("HP", Absence.HOSPITAL),
        ("PC", Absence.POLICE),
        ("", Absence.TEMPORARY),
    ],
)
def test_an_absence_code_tells_where_to(reference: Reference, code: str, meaning: Absence) -> None:
    assert reasons.absence(reference, code, AT) == meaning


def test_no_code_is_no_basis_and_a_release_of_unknown_kind(reference: Reference) -> None:
    assert reasons.basis(reference, "", AT) == Basis.NOT_KNOWN
    assert reasons.release_kind(reference, "", AT) == ReleaseKind.UNKNOWN


def test_a_code_means_what_it_meant_on_its_day(tmp_path: Path) -> None:
    old = '[[release_reasons]]\nid = "CR"\nfrom = 2000-01-01\nto = 2004-12-01\nmeaning = "UNSUPERVISED"\n'
    new = '[[release_reasons]]\nid = "CR"\nfrom = 2004-12-01\nmeaning = "SUPERVISED"\n'
    (tmp_path / "codes.toml").write_text(f'[columns.release_reasons]\nmeaning = "text"\n{old}{new}')
    reference = Reference.load(tmp_path)

    assert reasons.release_kind(reference, "CR", datetime(2004, 11, 30, 23, tzinfo=UTC)) == "UNSUPERVISED"
    assert reasons.release_kind(reference, "CR", datetime(2004, 12, 1, tzinfo=UTC)) == "SUPERVISED"


def test_a_meaning_that_is_none_is_refused_before_a_movement_meets_it(
    tmp_path: Path, reference: Reference
) -> None:
    shipped = (SHIPPED / "movement_reasons.toml").read_text()
    (tmp_path / "codes.toml").write_text(shipped.replace('"BAILED"', '"BALED"'))

    reasons.check(reference, AT)
    with pytest.raises(InvalidReference, match="BL: BALED is no meaning"):
        reasons.check(Reference.load(tmp_path), AT)
