"""The demo's December: the published numbers of tests, possible times, a day that prisons could have sent."""

import json
from collections import Counter
from datetime import UTC, datetime

from ppo.tracking.v1 import movement_pb2 as movement
from services.console import december, population, prison_day
from services.prisons import hmpps
from services.runtime.reference import LONDON

EVENING = datetime(2004, 12, 31, 20, tzinfo=UTC)


def listed() -> set[str]:
    return {row.identifier.value for row in population.month()}


def test_with_the_evenings_two_there_are_408_tests_13_of_ppos_9_of_them_positive() -> None:
    visits = december.visits()
    ppos = [visit for visit in visits if visit.identifier.value in listed()]

    assert len(visits) + december.OF_THE_EVENING == 408
    assert len(ppos) + 1 == 13
    assert sum(bool(visit.drug) for visit in ppos) + 1 == 9


def test_nobody_is_tested_twice() -> None:
    assert max(Counter(visit.identifier.value for visit in december.visits()).values()) == 1


def test_everybody_is_arrested_then_tested_then_gone_within_the_month() -> None:
    first = datetime(2004, 12, 1, tzinfo=LONDON)

    assert all(
        first <= visit.arrested < visit.tested < visit.disposed < EVENING for visit in december.visits()
    )


def test_every_ppo_who_is_tested_was_on_the_list_by_then() -> None:
    began = {row.identifier.value: row.effective_start_time.ToDatetime(UTC) for row in population.register()}
    visits = [visit for visit in december.visits() if visit.identifier.value in began]

    assert all(began[visit.identifier.value] < visit.arrested for visit in visits)


def test_the_same_seed_gives_the_same_visits_and_another_seed_others() -> None:
    assert december.visits() == december.visits()
    assert december.visits(seed=1) != december.visits()


def test_who_offends_elsewhere_is_arrested_there() -> None:
    numbers = {one.value for one in december.people().between.identifiers}
    [visit] = [visit for visit in december.visits() if visit.identifier.value in numbers]

    assert visit.suite == december.OFFENDED_IN


def test_every_event_of_the_day_is_one_that_the_suite_can_read() -> None:
    events = list(prison_day.events(prison_day.inmates(december.people())))
    read = [hmpps.read(json.dumps(event).encode()) for event in events]

    assert [one.kind for one in read if isinstance(one, movement.Movement)] == [
        movement.MOVEMENT_KIND_ABSENCE_START,
        movement.MOVEMENT_KIND_RELEASE,
        movement.MOVEMENT_KIND_RELEASE,
        movement.MOVEMENT_KIND_TRANSFER_OUT,
        movement.MOVEMENT_KIND_TRANSFER_IN,
        movement.MOVEMENT_KIND_ABSENCE_END,
        movement.MOVEMENT_KIND_RECEPTION,
    ]


def test_the_unknown_number_is_nobodys() -> None:
    numbers = {one.value for row in population.nominals() for one in row.person.identifiers}

    assert prison_day.UNKNOWN_NUMBER not in numbers
    assert prison_day.of_nobody(prison_day.inmates(december.people())).prison_number == "A0001AA"
