"""What officers said of matches: the last word stands, and decides what is asked."""

import pytest

from services.custody import verdicts
from services.custody.verdicts import Asked, Said
from tests import builders

GIVEN = builders.person(identifiers=[builders.pnc_id(1), builders.pnc_id(2)])


def same(nominal_id: str, *, fingerprint: bool = True) -> Said:
    return Said(nominal_id, same_person=True, fingerprint=fingerprint)


def another(nominal_id: str) -> Said:
    return Said(nominal_id, same_person=False, fingerprint=True)


def test_what_was_given_is_asked_about_while_nobody_said_anything() -> None:
    assert verdicts.asked(GIVEN, [], []) == Asked(GIVEN)


def test_a_confirmed_nominal_is_asked_about_alone() -> None:
    asked = verdicts.asked(GIVEN, [], [another("n2"), same("n1")])

    assert list(asked.person.identifiers) == [builders.nominal_id("n1")]
    assert not asked.person.HasField("name")
    assert asked.fingerprint


def test_who_was_ruled_out_is_excluded() -> None:
    assert verdicts.asked(GIVEN, [], [another("n1"), another("n2")]).excluded == {"n1", "n2"}


def test_a_correction_takes_a_confirmation_back() -> None:
    standing = verdicts.standing([same("n1"), another("n1")])

    assert standing.confirmed is None
    assert standing.excluded == {"n1"}


def test_a_correction_takes_an_exclusion_back() -> None:
    standing = verdicts.standing([another("n1"), same("n1")])

    assert standing.confirmed == same("n1")
    assert standing.excluded == frozenset()


def test_ruling_one_nominal_out_leaves_another_confirmed() -> None:
    assert verdicts.standing([same("n1"), another("n2")]).confirmed == same("n1")


def test_identifiers_read_off_fingerprints_outrank_those_that_were_said() -> None:
    asked = verdicts.asked(GIVEN, [builders.pnc_id(2).value], [])

    assert list(asked.person.identifiers) == [builders.pnc_id(2)]
    assert asked.fingerprint


def test_fingerprints_of_nobody_known_leave_what_was_said_before() -> None:
    printed = [builders.pnc_id(2).value]
    before = [[], [another("n2")], [same("n1", fingerprint=False)]]

    assert [verdicts.asked(GIVEN, printed, said).otherwise for said in before] == [
        verdicts.asked(GIVEN, [], said) for said in before
    ]


def test_where_nothing_else_was_said_nothing_else_is_asked() -> None:
    printed = [each.value for each in GIVEN.identifiers]

    assert verdicts.asked(GIVEN, printed, []).otherwise is None


def test_fingerprints_outrank_a_confirmation_by_identifier_alone() -> None:
    printed = [builders.pnc_id(2).value]

    by_identifier = verdicts.asked(GIVEN, printed, [same("n1", fingerprint=False)])
    by_fingerprint = verdicts.asked(GIVEN, printed, [same("n1")])

    assert list(by_identifier.person.identifiers) == [builders.pnc_id(2)]
    assert list(by_fingerprint.person.identifiers) == [builders.nominal_id("n1")]


@pytest.mark.parametrize(
    ("said", "now", "takes_back"),
    [
        ([], same("n1"), False),
        ([], another("n1"), False),
        ([same("n1")], same("n1"), False),
        ([same("n1")], another("n1"), True),
        ([same("n1")], same("n2"), True),
        ([same("n1")], another("n2"), False),
        ([another("n1")], same("n1"), True),
        ([another("n1")], same("n2"), False),
        ([another("n1")], another("n1"), False),
        # Taken back already.
        ([same("n1"), another("n1")], another("n1"), False),
    ],
)
def test_what_takes_back_something_said_before_is_a_correction(
    said: list[Said], now: Said, takes_back: bool
) -> None:
    assert verdicts.contradicts(said, now.nominal_id, same_person=now.same_person) is takes_back
