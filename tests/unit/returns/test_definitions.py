"""The words of a return are the words of the contracts that are counted by it."""

import pytest

from ppo.custody.v1 import custody_pb2
from ppo.flagging.v1 import flagging_pb2
from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import tracking_pb2
from services.returns.definitions import BREAKDOWNS, MEASURES, OTHER, cell, parts
from services.runtime.errors import Invalid
from tests.unit.returns.builders import december


def words(enum: object, prefix: str) -> set[str]:
    names: list[str] = enum.keys()  # type: ignore[attr-defined]
    told = {name.removeprefix(prefix).lower().replace("_", " ") for name in names}
    return told - {"unspecified"}


@pytest.mark.parametrize(
    ("breakdown", "enum", "prefix"),
    [
        ("sex", person_pb2.Sex, "SEX_"),
        ("reason", flagging_pb2.RemovalReason, "REMOVAL_REASON_"),
        ("position", tracking_pb2.Position, "POSITION_"),
        ("drug_class", custody_pb2.Drug, "DRUG_"),
    ],
)
def test_the_parts_of_a_breakdown_are_the_values_of_the_enum(
    breakdown: str, enum: object, prefix: str
) -> None:
    assert set(BREAKDOWNS[breakdown] or ()) == words(enum, prefix) - {OTHER}


def test_ethnicity_has_sixteen_codes_and_one_for_not_stated() -> None:
    assert len(BREAKDOWNS["ethnicity"] or ()) == 17


def test_every_measure_of_the_return_has_a_definition() -> None:
    assert {f"M{number}" for number in range(25)} < MEASURES.keys()
    assert all(one.title and one.definition for one in MEASURES.values())


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (("M25", "total", ""), "count.measure"),
        (("M1", "shoe_size", "9"), "count.breakdown"),
        (("M1", "total", "male"), "count.category"),
        (("M1", "sex", ""), "count.category"),
        (("M1", "sex", "Male"), "count.category"),
        (("M1", "ethnicity", "W3"), "count.category"),
        (("M16", "ocu_days", "D3"), "count.category"),
        (("M16", "ocu_days", "D3: soon"), "count.category"),
        (("M18", "agency_attendance", "probation: missed"), "count.category"),
        (("M23", "window_days", "not recorded"), "count.category"),
        (("M23", "window_days", "other or not known"), "count.category"),
    ],
)
def test_what_no_return_holds_is_refused(given: tuple[str, str, str], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        cell(*given)

    assert refusal.value.field == field


def test_days_that_are_not_recorded_are_counted() -> None:
    assert cell("M16", "days", "not recorded").category == "not recorded"
    assert cell("M16", "ocu_days", "D3: not recorded").category == "D3: not recorded"


def test_a_part_of_two_things_may_have_any_place() -> None:
    assert cell("M16", "court_days", "St: Albans: 12").category == "St: Albans: 12"


def test_parts_stand_in_the_order_of_the_definition_with_the_unknown_last() -> None:
    assert list(parts(december(), "M1", "ethnicity")) == ["W1", "A2", "B1", "not recorded"]
    assert list(parts(december(), "M1", "ocu"))[:3] == ["D1", "D2", "D3"]
