"""`ppo status`: which promise is broken, since when, for how many."""

import json
from datetime import UTC, datetime

from services.console.promises import Promise, Reading, promises, remarks
from services.console.status import by_label, measured
from tests.unit.console.conftest import Run

WELL = Reading(answers=True, gauges={"ppo_custody_rechecks_open": 0})
SUITE = dict.fromkeys(("flagging", "custody", "tracking", "returns"), WELL)
NOON = datetime(2026, 1, 8, 12, 0, 5, tzinfo=UTC)


def kept(**changed: Reading) -> dict[int, Promise]:
    return {one.number: one for one in promises({**SUITE, **changed})}


def test_a_suite_that_is_well_keeps_every_promise() -> None:
    assert {number for number, one in kept().items() if one.holds} == {1, 2, 3, 4, 7}


def test_an_outage_of_flagging_says_since_when_and_for_how_many() -> None:
    custody = Reading(True, down={"flagging": NOON}, gauges={"ppo_custody_rechecks_open": 3})

    first = kept(flagging=Reading(False), custody=custody)[1]

    assert first.faults == (
        "flagging does not answer since 12:00:05 (8 January); 3 answers await a re-check",
    )


def test_an_outage_that_custody_has_not_noticed_has_the_time_of_the_process() -> None:
    first = kept(flagging=Reading(False, since=NOON))[1]

    assert first.faults == (
        "flagging does not answer since 12:00:05 (8 January); 0 answers await a re-check",
    )


def test_without_custody_nobody_is_answered() -> None:
    first = kept(custody=Reading(False))[1]

    assert first.faults == ("custody does not answer: no suite is answered",)


def test_what_nobody_tells_does_not_hold() -> None:
    third = kept(custody=Reading(False))[3]

    assert (third.holds, third.faults, third.silent) == (False, (), ("custody",))


def test_a_copy_that_is_not_whole_breaks_the_second_promise() -> None:
    second = kept(custody=Reading(True, down={"replica": NOON}, gauges=WELL.gauges))[2]

    assert second.faults == ("the suites' copy of the register is not whole since 12:00:05 (8 January)",)


def test_an_outage_of_kafka_says_how_much_waits() -> None:
    flagging = Reading(True, down={"kafka": NOON}, gauges={"ppo_outbox_waiting": 1200})

    third = kept(flagging=flagging)[3]

    assert third.faults == (
        "kafka does not answer flagging since 12:00:05 (8 January); 1,200 events wait to be sent",
    )


def test_what_is_late_or_spooled_breaks_the_third_promise() -> None:
    late = {"ppo_due_overdue_seconds": 90.0, "ppo_custody_decisions_spooled": 2.0}

    third = kept(custody=Reading(True, gauges=late))[3]

    assert third.faults == (
        "what custody had to do by now is 90 seconds late",
        "2 decisions wait on disk for the database",
    )


def test_dead_letters_and_redis_are_remarks() -> None:
    custody = Reading(True, down={"redis": None}, gauges={"ppo_events_dead_total": 1})

    assert len(list(remarks({**SUITE, "custody": custody}))) == 2
    assert all(one.holds for one in kept(custody=custody).values())


def test_without_tracking_nobody_is_told_and_nobody_can_say_whose_case_it_is() -> None:
    broken = kept(tracking=Reading(False, since=NOON))

    assert broken[3].faults == (
        "tracking does not answer since 12:00:05 (8 January): what happens waits in Kafka, nobody is told",
    )
    assert broken[4].faults == (
        "tracking does not answer since 12:00:05 (8 January): nobody can ask whose case it is",
    )
    assert broken[1].holds


def test_a_ppo_without_an_owner_breaks_the_fourth_promise() -> None:
    fourth = kept(tracking=Reading(True, gauges={"ppo_registrations_without_owner": 1}))[4]

    assert fourth.faults == ("1 PPO has not exactly one owner",)


def test_without_returns_no_month_is_closed_and_the_rest_holds() -> None:
    broken = kept(returns=Reading(False))

    assert broken[7].faults == ("returns does not answer: no month can be closed or sent",)
    assert [broken[number].holds for number in (1, 2, 3, 4)] == [True, True, True, True]


def test_what_people_have_to_see_to_is_a_remark() -> None:
    tracking = Reading(True, gauges={"ppo_notices_overdue": 2, "ppo_movements_parked": 1, "ppo_reviews": 3})
    returns = Reading(True, gauges=WELL.gauges, due={"birmingham": -3, "elsewhere": 4})

    said = list(remarks({**SUITE, "tracking": tracking, "returns": returns}))

    assert said == [
        "2 records of notices were not acknowledged in time",
        "1 movement waits for somebody who has its prison number",
        "3 facts or cases wait for somebody to look at them",
        "birmingham has not sent a return that was due 3 days ago",
    ]
    assert all(one.holds for one in kept(tracking=tracking, returns=returns).values())


def test_metrics_are_summed_and_dependencies_read() -> None:
    gauges, down = measured(
        "# TYPE ppo_dependency_up gauge\n"
        'ppo_dependency_up{dependency="kafka"} 0.0\n'
        'ppo_dependency_up{dependency="postgres"} 1.0\n'
        "# TYPE ppo_dependency_since_seconds gauge\n"
        f'ppo_dependency_since_seconds{{dependency="kafka"}} {NOON.timestamp()}\n'
        "# TYPE ppo_events_dead counter\n"
        'ppo_events_dead_total{group="a"} 2.0\n'
        'ppo_events_dead_total{group="b"} 3.0\n'
    )

    assert gauges["ppo_events_dead_total"] == 5
    assert down == {"kafka": NOON}


def test_where_nothing_runs_the_first_promise_is_broken(ppo: Run) -> None:
    ran = ppo("status")

    assert ran.code == 1
    assert ran.out.startswith("BROKEN  promise 1: the check answers: custody does not answer: ")
    assert ran.err == "no suite runs here: start one with ppo up\n"


def test_each_promise_is_a_json_object(ppo: Run) -> None:
    ran = ppo("status", "--json")

    assert [json.loads(line)["number"] for line in ran.out.splitlines()] == [1, 2, 3, 4, 7]


def test_a_metric_is_told_apart_by_a_label() -> None:
    text = (
        "# TYPE ppo_return_days_to_due gauge\n"
        'ppo_return_days_to_due{area="birmingham"} -3.0\n'
        'ppo_return_days_to_due{area="elsewhere"} 4.0\n'
    )

    assert by_label(text, "ppo_return_days_to_due", "area") == {"birmingham": -3, "elsewhere": 4}
