"""Events of prison systems end as a movement, as unused or as unreadable, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.tracking.v1 import movement_pb2 as pb
from services.prisons import hmpps

SWITCH: dict[str, str] = {"released": hmpps.RELEASED, "received": hmpps.RECEIVED, "merged": hmpps.MERGED}


def event(name: str = "released", **details: Any) -> dict[str, Any]:
    """The release that the prisons' own schema gives as its example, with other details where given."""
    return {
        "eventType": SWITCH.get(name, name),
        "version": 1,
        "description": "A prisoner has been released from prison",
        "occurredAt": "2024-10-14T15:09:54+01:00",
        "publishedAt": "2024-10-14T15:10:54.742536797+01:00",
        "personReference": {"identifiers": [{"type": "NOMS", "value": "A8513EA"}]},
        "additionalInformation": {
            "nomsNumber": "A8513EA",
            "reason": "RELEASED",
            "details": "Movement reason code CR",
            "nomisMovementReasonCode": "CR",
            "currentLocation": "OUTSIDE_PRISON",
            "prisonId": "SWI",
            "currentPrisonStatus": "NOT_UNDER_PRISON_CARE",
            **details,
        },
    }


def record(document: object) -> bytes:
    return json.dumps(document).encode()


def movement(document: dict[str, Any]) -> pb.Movement:
    read = hmpps.read(record(document))
    assert isinstance(read, pb.Movement), read
    return read


def reason(document: dict[str, Any]) -> str:
    read = hmpps.read(record(document))
    assert isinstance(read, hmpps.Unreadable), read
    return read.reason


def test_the_published_example_is_a_release() -> None:
    read = movement(event())

    assert read.kind == pb.MOVEMENT_KIND_RELEASE
    assert (read.prison_number, read.reason_code, read.prison_id) == ("A8513EA", "CR", "SWI")
    assert read.occurred_time.ToDatetime(UTC) == datetime(2024, 10, 14, 14, 9, 54, tzinfo=UTC)
    assert read.source == "hmpps"


@pytest.mark.parametrize(
    ("name", "word", "kind"),
    [
        ("released", "RELEASED", "RELEASE"),
        ("released", "UNKNOWN", "RELEASE"),
        ("released", "SENT_TO_COURT", "ABSENCE_START"),
        ("released", "TEMPORARY_ABSENCE_RELEASE", "ABSENCE_START"),
        ("released", "RELEASED_TO_HOSPITAL", "ABSENCE_START"),
        ("released", "TRANSFERRED", "TRANSFER_OUT"),
        ("received", "ADMISSION", "RECEPTION"),
        ("received", "RETURN_FROM_COURT", "ABSENCE_END"),
        ("received", "TEMPORARY_ABSENCE_RETURN", "ABSENCE_END"),
        ("received", "TRANSFERRED", "TRANSFER_IN"),
        (hmpps.SEARCH_RECEIVED, "NEW_ADMISSION", "RECEPTION"),
        (hmpps.SEARCH_RECEIVED, "READMISSION", "RECEPTION"),
        (hmpps.SEARCH_RECEIVED, "READMISSION_SWITCH_BOOKING", "RECEPTION"),
        (hmpps.SEARCH_RECEIVED, "POST_MERGE_ADMISSION", "RECEPTION"),
        (hmpps.SEARCH_RECEIVED, "RETURN_FROM_COURT", "ABSENCE_END"),
        (hmpps.SEARCH_RECEIVED, "TEMPORARY_ABSENCE_RETURN", "ABSENCE_END"),
        (hmpps.SEARCH_RECEIVED, "TRANSFERRED", "TRANSFER_IN"),
        (hmpps.SEARCH_RELEASED, "RELEASED", "RELEASE"),
        (hmpps.SEARCH_RELEASED, "UNKNOWN", "RELEASE"),
        (hmpps.SEARCH_RELEASED, "SENT_TO_COURT", "ABSENCE_START"),
        (hmpps.SEARCH_RELEASED, "TEMPORARY_ABSENCE_RELEASE", "ABSENCE_START"),
        (hmpps.SEARCH_RELEASED, "RELEASED_TO_HOSPITAL", "ABSENCE_START"),
        (hmpps.SEARCH_RELEASED, "TRANSFERRED", "TRANSFER_OUT"),
    ],
)
def test_a_movement_is_keyed_on_its_reason(name: str, word: str, kind: str) -> None:
    assert movement(event(name, reason=word)).kind == pb.MovementKind.Value(f"MOVEMENT_KIND_{kind}")


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("released", "NOT_UNDER_PRISON_CARE", "RELEASE"),
        ("released", "UNDER_PRISON_CARE", "UNKNOWN"),
        ("received", "UNDER_PRISON_CARE", "RECEPTION"),
        (hmpps.SEARCH_RECEIVED, "UNDER_PRISON_CARE", "RECEPTION"),
        (hmpps.SEARCH_RELEASED, "UNDER_PRISON_CARE", "UNKNOWN"),
    ],
)
def test_a_reason_that_nobody_knows_is_kept_with_what_the_event_tells_all_the_same(
    name: str, status: str, kind: str
) -> None:
    read = movement(event(name, reason="ABDUCTED", currentPrisonStatus=status))

    assert read.kind == pb.MovementKind.Value(f"MOVEMENT_KIND_{kind}")
    assert read.unknown_reason == "ABDUCTED"


def test_a_status_that_nobody_knows_is_kept_as_one() -> None:
    changed = event(hmpps.STATUS_CHANGED, convictedStatus="Civil")

    assert (movement(changed).kind, movement(changed).unknown_reason) == (
        pb.MOVEMENT_KIND_UNKNOWN,
        "Civil",
    )


def test_a_later_version_and_fields_that_nobody_knows_change_nothing() -> None:
    newer = event(newField={"deep": [1]}) | {
        "version": 9,
        "anotherField": "x",
        "detailUrl": "https://a.example",
    }

    assert movement(newer) == movement(event())


def test_a_death_is_a_release_with_the_code_of_a_death() -> None:
    read = movement(event(nomisMovementReasonCode="DEC"))

    assert (read.kind, read.reason_code) == (pb.MOVEMENT_KIND_RELEASE, "DEC")


def test_a_merge_names_the_number_that_stays_and_the_one_that_goes() -> None:
    merged = event("merged", reason="MERGE", bookingId="1", removedNomsNumber="A1111AA")
    read = movement(merged)

    assert read.kind == pb.MOVEMENT_KIND_MERGE
    assert (read.prison_number, read.removed_prison_number) == ("A8513EA", "A1111AA")


@pytest.mark.parametrize(("status", "convicted"), [("Convicted", True), ("Remand", False)])
def test_a_changed_status_tells_whether_the_person_is_convicted(status: str, convicted: bool) -> None:
    changed = event(hmpps.STATUS_CHANGED)
    changed["additionalInformation"] = {"nomsNumber": "A8513EA", "bookingId": "7", "convictedStatus": status}
    read = movement(changed)

    assert (read.kind, read.convicted) == (pb.MOVEMENT_KIND_STATUS_CHANGE, convicted)


def test_the_search_service_gives_no_code_and_no_time_of_publishing() -> None:
    received = event(hmpps.SEARCH_RECEIVED)
    del received["publishedAt"]
    received["additionalInformation"] = {"nomsNumber": "A8513EA", "prisonId": "BMI", "reason": "READMISSION"}
    read = movement(received)

    assert (read.kind, read.prison_id, read.reason_code) == (pb.MOVEMENT_KIND_RECEPTION, "BMI", "")


def test_the_same_event_again_has_the_same_id_however_it_is_written() -> None:
    again = event(details="another wording") | {
        "publishedAt": "2025-01-01T00:00:00Z",
        "occurredAt": "2024-10-14T14:09:54.000Z",
    }

    assert movement(again).movement_id == movement(event()).movement_id


@pytest.mark.parametrize(
    "other",
    [
        event(prisonId="BMI"),
        event(nomisMovementReasonCode="HR"),
        event(reason="UNKNOWN"),
        event() | {"occurredAt": "2024-10-14T15:09:55+01:00"},
        event(nomsNumber="A8513EB") | {"personReference": {}},
        event(hmpps.SEARCH_RECEIVED, reason="NEW_ADMISSION"),
    ],
)
def test_another_movement_has_another_id(other: dict[str, Any]) -> None:
    assert movement(other).movement_id != movement(event()).movement_id


@pytest.mark.parametrize(
    "name", ["prison-offender-events.prisoner.alerts-updated", "prison.visit.booked", ""]
)
def test_an_event_that_nobody_uses_is_named_as_such(name: str) -> None:
    # What it holds is nobody's business here, sound or not.
    assert hmpps.read(record({"eventType": name, "occurredAt": 7})) == hmpps.Unused(name)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (event() | {"occurredAt": "2004-02-30T10:00:00Z"}, "occurredAt is not a possible time"),
        (event() | {"occurredAt": "0001-01-01T00:00:00+01:00"}, "occurredAt is not a possible time"),
        (event() | {"occurredAt": "2004-12-01T10:00:00"}, "occurredAt is not a time with its offset"),
        (event() | {"occurredAt": 1102000000}, "occurredAt is not a time with its offset"),
        (event() | {"occurredAt": None}, "occurredAt is missing"),
        (event() | {"additionalInformation": []}, "additionalInformation is missing"),
        (event(nomsNumber=None), "nomsNumber is missing"),
        (event(nomsNumber="A851EA"), "nomsNumber is not a prison number"),
        (event(nomsNumber=["A8513EA"]), "nomsNumber is not a prison number"),
        (event(nomsNumber="A8513EB"), "nomsNumber is not the number in personReference"),
        (event(reason=None), "reason is missing"),
        (event(reason="AB DUCTED"), "reason is no word"),
        (event(reason={}), "reason is no word"),
        (event(prisonId="swi"), "prisonId is not a prison's code"),
        (event("received", reason="ADMISSION", prisonId=None), "prisonId is missing"),
        (event("received", reason="TRANSFERRED", prisonId="TRN"), "prisonId is missing"),
        (event(nomisMovementReasonCode="C R"), "nomisMovementReasonCode is not a code"),
        (event("merged", reason="MERGE"), "removedNomsNumber is missing"),
        (
            event("merged", reason="MERGE", removedNomsNumber="A8513EA"),
            "removedNomsNumber is the number that is kept",
        ),
        ({"occurredAt": "2004-12-01T10:00:00Z"}, "eventType is missing"),
    ],
)
def test_a_record_that_breaks_a_rule_says_which(document: dict[str, Any], why: str) -> None:
    assert reason(document) == why


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (b"", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"9" * 10_000, "it is not JSON"),
        (b"[]", "it is not a JSON object"),
        (b"NaN", "it is not a JSON object"),
    ],
)
def test_what_is_no_event_at_all_is_unreadable(hostile: bytes, why: str) -> None:
    assert hmpps.read(hostile) == hmpps.Unreadable(why)


def test_where_nowhere_is_named_a_release_has_no_prison() -> None:
    assert movement(event(prisonId="OUT")).prison_id == ""


def test_a_reason_for_the_dead_letters_never_holds_what_was_sent() -> None:
    assert "A851" not in reason(event(nomsNumber="A8513EA7"))


@given(st.binary(max_size=200))
def test_any_bytes_end_in_one_of_the_three(record: bytes) -> None:
    assert isinstance(hmpps.read(record), pb.Movement | hmpps.Unused | hmpps.Unreadable)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SPOTS = [
    *(("eventType",), ("occurredAt",), ("personReference",), ("additionalInformation",)),
    *(("additionalInformation", field) for field in ("nomsNumber", "reason", "nomisMovementReasonCode")),
    *(("additionalInformation", field) for field in ("prisonId", "removedNomsNumber", "convictedStatus")),
    ("personReference", "identifiers"),
]


@given(
    st.sampled_from([*SWITCH, hmpps.SEARCH_RECEIVED, hmpps.SEARCH_RELEASED, hmpps.STATUS_CHANGED]),
    st.sampled_from(SPOTS),
    values,
)
def test_any_value_in_any_field_ends_in_one_of_the_three(
    name: str, spot: tuple[str, ...], value: Any
) -> None:
    document = event(name)
    target = document
    for step in spot[:-1]:
        target = target[step]
    target[spot[-1]] = value

    assert isinstance(hmpps.read(record(document)), pb.Movement | hmpps.Unused | hmpps.Unreadable)
