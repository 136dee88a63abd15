"""A dead letter holds the record, why it died and where it came from; a huge one its head and digest."""

import hashlib

from services.runtime.broker import Record, dead_letter


def test_a_dead_letter_holds_the_record_the_reason_and_its_origin() -> None:
    record = Record("movements", "A1234BC", b"{", {"ce_id": "e1"}, partition=3, offset=17)

    dead = dead_letter(record, "is not JSON", "tracking")

    assert (dead.topic, dead.key, dead.value) == ("movements.dead", "A1234BC", b"{")
    assert dead.headers["ce_id"] == "e1"
    assert (dead.headers["dead_reason"], dead.headers["dead_group"]) == ("is not JSON", "tracking")
    assert (dead.headers["dead_topic"], dead.headers["dead_partition"], dead.headers["dead_offset"]) == (
        "movements",
        "3",
        "17",
    )


def test_a_record_over_a_mebibyte_dies_as_its_head_with_a_digest_of_the_whole() -> None:
    value = b"x" * (1024 * 1024 + 1)

    dead = dead_letter(Record("movements", "k", value, {}, partition=0, offset=0), "is too large", "g")

    assert dead.value == value[: 64 * 1024]
    assert dead.headers["dead_sha256"] == hashlib.sha256(value).hexdigest()
    assert dead.headers["dead_length"] == str(len(value))


def test_a_record_of_a_mebibyte_dies_whole() -> None:
    value = b"x" * (1024 * 1024)

    assert dead_letter(Record("movements", "k", value, {}, partition=0, offset=0), "no", "g").value == value
