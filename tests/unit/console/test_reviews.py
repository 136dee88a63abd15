"""`ppo review`, `ppo journey withdraw`, `ppo prison work`: what each asks for and what a person reads."""

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.tracking.v1 import tracking_pb2 as tracking
from tests.unit.console.conftest import Run, Served

NOMINAL = "e9ab78e1-0aeb-40b7-be35-3d21488eb20b"
REVIEW = tracking.Review(
    subject="m-17",
    nominal_id=NOMINAL,
    kind=tracking.REVIEW_KIND_FACT,
    reason="release before any reception",
    recorded_time=Timestamp(seconds=1_104_000_000),
)


def test_what_waits_is_shown_with_its_reason_and_its_subject(ppo: Run, served: Served) -> None:
    served.tracking.reviews.append(REVIEW)

    ran = ppo("review", "list", "--kind", "fact")

    assert served.tracking.asked[-1].kind == tracking.REVIEW_KIND_FACT
    assert served.tracking.callers[-1].role == "register_keeper"
    assert ran.code == 0
    assert "m-17" in ran.out
    assert "release before any" in ran.out


def test_nothing_that_waits_is_said_to_wait(ppo: Run, served: Served) -> None:
    ran = ppo("review", "list")

    assert (ran.code, ran.out, "nothing waits" in ran.err) == (0, "", True)


def test_what_was_found_is_told_with_a_note(ppo: Run, served: Served) -> None:
    found = ("--found", "both-numbers", "--note", "photographs compared")

    ran = ppo("review", "resolve", "m-18", "--nominal", NOMINAL, *found)

    asked = served.tracking.asked[-1]
    assert (asked.subject, asked.nominal_id, asked.note) == ("m-18", NOMINAL, "photographs compared")
    assert asked.resolution == tracking.REVIEW_RESOLUTION_BOTH_NUMBERS
    assert (ran.code, ran.out) == (0, "Both prison numbers are this person's.\n")


def test_a_fact_is_withdrawn_by_its_name_and_with_a_reason(ppo: Run, served: Served) -> None:
    ran = ppo("journey", "withdraw", NOMINAL, "--fact", "m-17", "--reason", "the wrong man")

    asked = served.tracking.asked[-1]
    assert (asked.nominal_id, asked.fact_id, asked.reason) == (NOMINAL, "m-17", "the wrong man")
    assert ran.code == 0


def test_courses_and_jobs_are_recorded_as_the_prison_says_them(ppo: Run, served: Served) -> None:
    done = ("--course", "Bricklaying, level 1", "--course", "First aid", "--job", "kitchen")

    ran = ppo("prison", "work", NOMINAL, "--as", "BMI", *done)

    work = served.tracking.asked[-1].work
    assert [(one.title, one.level) for one in work.courses] == [("Bricklaying", "level 1"), ("First aid", "")]
    assert [one.title for one in work.jobs] == ["kitchen"]
    assert (ran.code, ran.out) == (0, "recorded: 2 courses and 1 jobs\n")


def test_what_is_known_of_a_release_goes_with_its_date(ppo: Run, served: Served) -> None:
    served.tracking.released = Date(year=2005, month=2, day=11)
    arranged = ("--collected-by", "PC Hollis", "--appointment", "2005-02-11T11:00 probation, Centenary House")
    known = ("--licence", "--condition", "curfew", "--need", "no bed found")

    ran = ppo("release", "plan", NOMINAL, "--on", "2005-02-13", "--as", "probation-5", *arranged, *known)

    asked = served.tracking.asked[-1]
    assert (asked.licence, list(asked.condition_codes)) == (True, ["curfew"])
    assert list(asked.outstanding_needs) == ["no bed found"]
    assert asked.arrangements.collected_by == "PC Hollis"
    assert [one.place for one in asked.arrangements.appointments] == ["probation, Centenary House"]
    # A Sunday.
    said = "recorded: release planned for 2005-02-11, for nobody is let out on 2005-02-13"
    assert ran.out.splitlines()[0] == said


def test_a_journey_as_of_a_time_that_lies_ahead_is_remarked(ppo: Run, served: Served) -> None:
    ahead = ppo("journey", "show", NOMINAL, "--at", "2999-01-01T00:00")
    past = ppo("journey", "show", NOMINAL, "--at", "2004-12-01T00:00")

    assert "lies ahead" in ahead.err
    assert "lies ahead" not in past.err
    assert (ahead.code, past.code) == (0, 0)
