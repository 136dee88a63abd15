"""The replica: the same whatever the order, whole only when it equals the register, never a no."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppo.flagging.v1 import events_pb2 as events
from ppo.person.v1 import person_pb2, screening_pb2
from services.custody.replica import Replica
from tests import builders
from tests.unit.custody.register import DAY, NOW, Record, Register, flag, hurried, merged, watermark

PARTITIONS = 3
SECOND = timedelta(seconds=1)

# A register's life: a person flagged, a person not flagged any more, or None: a watermark on every partition.
lives = st.lists(st.none() | st.tuples(st.integers(0, 5), st.booleans()), max_size=40)


def lived(life: Sequence[tuple[int, bool] | None]) -> Register:
    register = Register(PARTITIONS)
    for step in [*life, None]:
        if step is None:
            register.mark()
        else:
            register.set(step[0], flagged=step[1])
    return register


def interleaved(draw: st.DataObject, told: Sequence[Sequence[Record]]) -> list[Record]:
    """One order of all records that keeps the order of each partition."""
    turns = draw.draw(st.permutations([place for place, records in enumerate(told) for _ in records]))
    left = [iter(records) for records in told]
    return [next(left[place]) for place in turns]


def replica(records: Sequence[Record] = (), partitions: int = PARTITIONS) -> Replica:
    made = Replica()
    made.partitions = partitions
    made.restore(records)
    return made


def always_whole(one: Replica, records: Sequence[Record]) -> bool:
    """Whether it stays whole while it takes them, but for the time before all partitions have a watermark."""
    states = []
    for record in records:
        one.restore([record])
        states.append(one.whole or one.time is None)
    return all(states)


def flagged(one: Replica, nominals: int = 6) -> set[str]:
    held = one.flagged(NOW)
    return {f"n{number}" for number in range(nominals) if f"n{number}" in held}


def expected(register: Register) -> set[str]:
    return {nominal_id for nominal_id, _ in register.flagged()}


def screened(one: Replica, person: person_pb2.Person) -> screening_pb2.Screening:
    return one.screen(person, fingerprint=False, now=NOW, false_alarms=0.01)


@given(life=lives, draw=st.data(), ahead=st.integers(0, 4))
def test_any_order_of_the_partitions_leads_to_the_register(
    life: list[tuple[int, bool] | None], draw: st.DataObject, ahead: int
) -> None:
    register = lived(life)

    one = replica(interleaved(draw, [hurried(records, ahead) for records in register.told]))

    assert flagged(one) == expected(register)
    assert one.whole
    assert one.version == register.version


@given(life=lives, draw=st.data(), ahead=st.integers(0, 4))
def test_it_is_whole_only_where_it_has_all_that_a_watermark_tells_of(
    life: list[tuple[int, bool] | None], draw: st.DataObject, ahead: int
) -> None:
    register = lived(life)
    told = interleaved(draw, [hurried(records, ahead) for records in register.told])
    versions = {(one.nominal_id, one.version) for one in told if isinstance(one, events.Flag)}
    one = replica()

    for place, record in enumerate(told, start=1):
        one.restore([record])

        if one.whole:
            taken = {
                (each.nominal_id, each.version) for each in told[:place] if isinstance(each, events.Flag)
            }
            assert {each for each in versions if each[1] <= one.version} <= taken


@given(life=lives, draw=st.data(), ahead=st.integers(0, 4))
def test_it_is_whole_from_the_first_watermark_of_all_on_whatever_runs_ahead(
    life: list[tuple[int, bool] | None], draw: st.DataObject, ahead: int
) -> None:
    register = lived(life)

    assert always_whole(replica(), interleaved(draw, [hurried(each, ahead) for each in register.told]))


def test_an_older_state_that_comes_late_changes_nothing() -> None:
    one = replica([flag("n0", 2, flagged=False), flag("n0", 1)])

    assert flagged(one) == set()


@given(life=lives, draw=st.data())
def test_records_that_come_again_change_nothing(
    life: list[tuple[int, bool] | None], draw: st.DataObject
) -> None:
    register = lived(life)
    twice = []
    for records in register.told:
        repeated = draw.draw(st.integers(0, len(records)))
        twice.append([*records[:repeated], *records])

    one = replica(interleaved(draw, twice))

    assert flagged(one) == expected(register)
    assert one.whole


@given(life=lives, draw=st.data())
def test_what_compaction_has_dropped_is_not_missed(
    life: list[tuple[int, bool] | None], draw: st.DataObject
) -> None:
    register = lived(life)
    last = {id(state) for state in register.flags.values()}
    compacted = [
        [one for one in records[:-1] if id(one) in last or draw.draw(st.booleans())] + [records[-1]]
        for records in register.told
    ]

    one = replica(interleaved(draw, compacted))

    assert flagged(one) == expected(register)
    assert one.whole


@given(life=lives, draw=st.data(), ahead=st.integers(0, 4))
def test_it_is_restored_as_it_was(
    life: list[tuple[int, bool] | None], draw: st.DataObject, ahead: int
) -> None:
    register = lived(life)
    told = interleaved(draw, [hurried(records, ahead) for records in register.told])
    cut = draw.draw(st.integers(0, len(told)))
    one = replica(told[:cut])

    restored = replica(one.contents())

    assert (restored.version, restored.time) == (one.version, one.time)
    assert always_whole(restored, told[cut:])
    assert flagged(restored) == expected(register)


def test_a_partition_without_a_watermark_leaves_it_incomplete_and_of_unknown_age() -> None:
    one = replica([flag("n0", 1), watermark(0, 1, [("n0", 1)]), watermark(1, 1, [("n0", 1)])])

    assert not one.whole
    assert one.time is None


def test_it_is_as_old_as_its_oldest_watermark() -> None:
    marks = [watermark(place, 0, at=NOW + place * SECOND) for place in range(PARTITIONS)]

    assert replica(marks).time == NOW


def test_a_flag_that_was_lost_leaves_it_incomplete() -> None:
    marks = [watermark(place, 2, [("n0", 1), ("n1", 2)]) for place in range(PARTITIONS)]

    assert not replica([flag("n0", 1), *marks]).whole


def test_an_unreadable_record_leaves_it_incomplete_until_a_later_watermark_agrees() -> None:
    marks = [watermark(place, 1, [("n0", 1)]) for place in range(PARTITIONS)]
    one = replica([flag("n0", 1), *marks])

    one.damage(1)

    assert not one.whole
    one.restore([watermark(1, 1, [("n0", 1)], at=NOW + SECOND)])
    assert one.whole


def test_an_unreadable_record_whose_flag_counts_leaves_it_incomplete_for_good() -> None:
    one = replica([watermark(place, 0) for place in range(PARTITIONS)])

    one.damage(1)
    one.restore([watermark(place, 1, [("n1", 1)], at=NOW + SECOND) for place in range(PARTITIONS)])

    assert not one.whole


def test_damage_is_not_forgotten_by_a_restart() -> None:
    one = replica([watermark(place, 0) for place in range(PARTITIONS)])
    one.damage(1)

    assert not replica(one.contents()).whole


def test_a_tombstone_erases_the_person() -> None:
    one = replica([flag("n0", 1)])

    one.erase("n0")
    one.restore([watermark(place, 2, at=NOW + SECOND) for place in range(PARTITIONS)])

    assert flagged(one) == set()
    assert one.whole


def test_another_register_starts_anew_with_its_own_versions() -> None:
    one = replica([flag("n0", 90), *(watermark(place, 90, [("n0", 90)]) for place in range(PARTITIONS))])
    later = NOW + DAY

    one.restore([flag("n1", 3, epoch="epoch-2")])
    assert flagged(one) == {"n0"}
    one.restore([watermark(place, 3, [("n1", 3)], epoch="epoch-2", at=later) for place in range(PARTITIONS)])

    assert flagged(one) == {"n1"}
    assert one.whole
    assert one.version == 3


def test_the_last_words_of_a_register_that_was_replaced_are_not_heard() -> None:
    one = replica([watermark(place, 3, epoch="epoch-2", at=NOW + DAY) for place in range(PARTITIONS)])

    one.restore([flag("n0", 90), *(watermark(place, 90, [("n0", 90)]) for place in range(PARTITIONS))])

    assert flagged(one) == set()
    assert one.whole


def test_a_flag_ends_at_its_instant_by_itself() -> None:
    one = replica([flag("n0", 1, end=NOW + DAY)])
    microsecond = timedelta(microseconds=1)

    assert "n0" in one.flagged(NOW + DAY - microsecond)
    assert "n0" not in one.flagged(NOW + DAY)
    assert "n0" not in one.flagged(NOW + DAY + microsecond)


def test_a_replica_that_first_looks_after_the_instant_finds_the_flag_ended() -> None:
    one = replica([flag("n0", 1, end=NOW + DAY)])

    assert "n0" not in one.flagged(NOW + DAY)


def test_a_clock_that_is_moved_back_flags_again() -> None:
    one = replica([flag("n0", 1, end=NOW + DAY)])
    one.flagged(NOW + DAY)

    assert "n0" in one.flagged(NOW)


def test_a_state_that_this_code_does_not_know_flags_nobody_and_clears_nobody() -> None:
    strange = flag("n0", 1)
    strange.state = 99  # type: ignore[assignment]
    one = replica([strange])

    answer = screened(one, builders.person())

    assert answer.outcome == screening_pb2.OUTCOME_UNKNOWN


def test_it_never_says_no() -> None:
    answer = screened(replica(), builders.person("Nobody", "Known", identifiers=[builders.pnc_id(9)]))

    assert answer.outcome == screening_pb2.OUTCOME_UNKNOWN
    assert answer.unknown_reason == screening_pb2.UNKNOWN_REASON_UNREACHABLE


def test_an_identifier_of_somebody_flagged_is_flagged_with_version_and_age() -> None:
    person = builders.person(identifiers=[builders.pnc_id(1)])
    marks = [watermark(place, 1, [("n0", 1)]) for place in range(PARTITIONS)]

    answer = screened(replica([flag("n0", 1, person), *marks]), person)

    assert answer.outcome == screening_pb2.OUTCOME_FLAGGED
    assert answer.candidates[0].nominating_ocu == "D3"
    assert answer.register_version == 1
    assert answer.register_time.ToDatetime(NOW.tzinfo) == NOW


@pytest.mark.parametrize("identifier", ["n0", "n1"])
def test_the_nominal_id_of_a_merged_nominal_is_the_living_one(identifier: str) -> None:
    ids = {"n0": "0" * 8 + "-0000-0000-0000-" + "0" * 12, "n1": "1" * 8 + "-0000-0000-0000-" + "0" * 12}
    one = replica([merged(ids["n0"], ids["n1"], 2), flag(ids["n1"], 3)])

    answer = screened(one, person_pb2.Person(identifiers=[builders.nominal_id(ids[identifier])]))

    assert answer.outcome == screening_pb2.OUTCOME_FLAGGED
    assert answer.candidates[0].nominal_id == ids["n1"]


def test_nominals_that_were_merged_in_a_circle_lead_nowhere() -> None:
    one = replica([merged("n0", "n1", 1), merged("n1", "n0", 2)])

    assert one.flag("n0") is None
