"""Which registration a prison's death ends and its reversal brings back, of a person of two nominals."""

from datetime import UTC, datetime, timedelta

from ppo.flagging.v1 import flagging_pb2 as pb
from ppo.person.v1 import person_pb2, screening_pb2
from services.flagging import deaths, register
from services.flagging.changes import History
from services.flagging.fates import Fate
from services.flagging.models import Registration, RegistrationStep
from services.flagging.register import Standing

NOW = datetime(2004, 12, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def registration(place: int) -> Registration:
    """In force, of the nominal `place`, from a day of its own on."""
    start = NOW - (100 - place) * DAY
    row = Registration(
        registration_id=f"r{place}",
        nominal_id=f"n{place}",
        strand=screening_pb2.STRAND_CATCH_AND_CONVICT,
        criteria=[pb.CRITERION_VOLUME],
        nominating_ocu="D1",
        steps=[],
        opened_time=start,
        recorded_time=start,
    )
    step = RegistrationStep(
        state=register.ACTIVE, effective_time=start, provenance=pb.PROVENANCE_DECIDED, reason="", forum_id=""
    )
    alone(row, start).take(row, Standing(register.ACTIVE, start), step, "register-keeper-1")
    return row


def alone(row: Registration, now: datetime = NOW) -> History:
    return History(row.nominal_id, {row.nominal_id: person_pb2.Person()}, [row], [], now)


def merged() -> History:
    """Two nominals, each dead by a death of its own before they were one."""
    rows = [registration(1), registration(2)]
    for row in rows:
        deaths.end(alone(row), NOW - DAY)
    return History("n1", {row.nominal_id: person_pb2.Person() for row in rows}, rows, [], NOW)


def returned(history: History, registration_id: str) -> Fate:
    return deaths.bring_back(history, registration_id, deaths.ITSELF, deaths.TAKEN_BACK)


def test_the_registration_that_the_death_ended_comes_back_and_no_other() -> None:
    history = merged()

    fate = returned(history, "r2")

    assert fate == Fate.RETURNED
    assert [row.standing.name for row in history.rows] == ["DECEASED", "ACTIVE"]


def test_a_second_registration_does_not_come_back_beside_one_that_is_live() -> None:
    history = merged()

    fates = [returned(history, "r1"), returned(history, "r2")]

    assert fates == [Fate.RETURNED, Fate.DOES_NOT_FIT]
    assert [row.standing.name for row in history.rows] == ["ACTIVE", "DECEASED"]


def test_a_death_is_told_of_the_registration_that_it_ends() -> None:
    history = merged()
    returned(history, "r2")

    fate, told_of = deaths.end(history, NOW)

    assert (fate, told_of) == (Fate.ENDED, history.row("r2"))
