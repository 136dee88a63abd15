"""The life of a return: added to, checked, submitted, queried, answered, accepted, corrected."""

import grpc
import psycopg
import pytest

from ppo.returns.v1 import returns_pb2 as pb
from services.returns.definitions import Cell, count
from services.runtime import channel
from tests.integration.returns.service import JANUARY, Service, refusal
from tests.integration.returns.test_record import LATER
from tests.servers import Database
from tests.unit.returns.builders import after, december, parts, totals

ATTENDANCE = {
    Cell("M18"): 30,
    Cell("M18", "attendance", "attended"): 25,
    Cell("M18", "attendance", "unacceptable absence"): 5,
}
RIGHTED = december() | totals(M7=407) | {Cell("M7", "ocu", "D1"): 45}


def additions(counts: dict[Cell, int], source: str = "probation's own list") -> list[pb.Addition]:
    return [pb.Addition(count=count(cell, value), source=source) for cell, value in counts.items()]


async def states(service: Service, revision: int = 0) -> list[int]:
    return [step.state for step in (await service.get(revision=revision)).steps]


async def test_a_question_is_answered_and_the_return_accepted(service: Service) -> None:
    sent = await service.submit(await service.record())

    queried = await service.query(sent, "Why have tests doubled?")
    answered = await service.answer(sent, "A second suite began to test.")
    accepted = await service.accept(sent)

    assert [one.state for one in (queried, answered, accepted)] == [
        pb.RETURN_STATE_QUERIED,
        pb.RETURN_STATE_SUBMITTED,
        pb.RETURN_STATE_ACCEPTED,
    ]
    steps = (await service.get()).steps
    assert [step.text for step in steps if step.text] == [
        "Why have tests doubled?",
        "A second suite began to test.",
    ]
    assert steps[2].recorded_by == "home_office-1"


async def test_what_its_state_does_not_allow_is_refused_by_name(service: Service) -> None:
    recorded = await service.record()

    refused = await refusal(service.accept(recorded))

    assert channel.reason(refused) == "CHECKED_TO_ACCEPTED"
    assert refused.details() == "revision 1 is CHECKED; to accept a return it has to be SUBMITTED"
    assert await states(service) == [pb.RETURN_STATE_CHECKED]


async def test_figures_of_the_areas_own_stand_in_the_return_with_their_source(service: Service) -> None:
    recorded = await service.record()

    draft = await service.add(recorded, *additions(ATTENDANCE))
    refused = await refusal(service.submit(draft))
    checked = await service.check(draft)

    assert draft.state == pb.RETURN_STATE_DRAFT
    assert channel.reason(refused) == "DRAFT_TO_SUBMITTED"
    assert checked.state == pb.RETURN_STATE_CHECKED
    held = await service.get()
    assert {one.source for one in held.additions} == {"probation's own list"}
    assert count(Cell("M18"), 30) in held.counts
    assert (await service.submit(checked)).state == pb.RETURN_STATE_SUBMITTED


async def test_figures_that_do_not_sum_stay_a_draft(service: Service) -> None:
    wrong = ATTENDANCE | {Cell("M18", "attendance", "attended"): 24}
    draft = await service.add(await service.record(), *additions(wrong))

    refused = await refusal(service.check(draft))

    assert refused.details() == (
        "M18 by attendance: expected 30, found 29 (the parts sum to the total of M18)"
    )
    assert (await service.get()).monthly_return.state == pb.RETURN_STATE_DRAFT


async def test_figures_added_again_stand_instead_of_those_before(service: Service) -> None:
    draft = await service.add(await service.record(), *additions(ATTENDANCE))

    await service.add(draft, *additions({Cell("M18"): 7}, "counted again"))

    held = await service.get()
    assert [one.count.value for one in held.additions] == [7]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({Cell("M1"): 322}, "additions[0].count.measure is none of"),
        ({Cell("M18"): -1}, "additions[0].count.value is not from 0"),
        ({Cell("M18", "attendance", "late"): 1}, "count.category"),
    ],
)
async def test_what_is_no_figure_of_an_areas_own_is_refused(
    service: Service, given: dict[Cell, int], told: str
) -> None:
    refused = await refusal(service.add(await service.record(), *additions(given)))

    assert refused.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert told.replace(" ", "") in (refused.details() or "").replace(":", "").replace(" ", "")


async def test_what_was_counted_is_not_given_by_the_area(service: Service) -> None:
    recorded = await service.record(december() | totals(M18=3) | parts("M18", "attendance", attended=3))

    refused = await refusal(service.add(recorded, *additions(ATTENDANCE)))

    assert channel.reason(refused) == "COUNTED"


async def test_a_correction_replaces_what_was_submitted_once_it_is_submitted_itself(service: Service) -> None:
    first = await service.submit(await service.record())

    second = await service.record(RIGHTED, cut_off_time=LATER, reason="a test was entered twice")

    assert (second.corrects_revision, second.cells_changed) == (1, 2)
    assert (await service.get(revision=1)).monthly_return.state == pb.RETURN_STATE_SUBMITTED
    await service.submit(second)
    assert (await service.get(revision=1)).monthly_return.state == pb.RETURN_STATE_CORRECTED
    [*_, last] = (await service.get(revision=1)).steps
    assert last.text == "by revision 2: a test was entered twice"
    assert first.submitted_time == (await service.get(revision=1)).monthly_return.submitted_time


async def test_a_correction_says_what_changed(service: Service) -> None:
    await service.submit(await service.record())

    await service.record(RIGHTED, cut_off_time=LATER, reason="a test was entered twice")

    changes = {
        (one.count.measure, one.count.category): (one.before, one.count.value)
        for one in (await service.get()).changes
    }
    assert changes == {("M7", ""): (408, 407), ("M7", "D1"): (46, 45)}


async def test_a_correction_of_what_was_submitted_needs_its_reason(service: Service) -> None:
    await service.submit(await service.record())

    refused = await refusal(service.record(RIGHTED, cut_off_time=LATER))

    assert channel.reason(refused) == "REASON_MISSING"
    assert (await service.get()).monthly_return.revision == 1


async def test_a_residual_is_shown_and_refused_unless_it_is_explained(service: Service) -> None:
    await service.record()
    counts = after(302)

    refused = await refusal(service.record(counts, month=JANUARY))
    explained = await service.record(counts, month=JANUARY, explanation="two removals were told late")

    assert "2 of M0 do not follow: correct the month before, or explain it" in (refused.details() or "")
    assert (explained.residual, explained.heading.explanation) == (2, "two removals were told late")


async def test_an_explanation_explains_nothing_but_the_residual(service: Service) -> None:
    wrong = december() | {Cell("M1", "sex", "male"): 314}

    refused = await refusal(service.record(wrong, explanation="never mind"))

    assert channel.reason(refused) == "DOES_NOT_BALANCE"


async def test_a_step_that_was_taken_is_never_changed(service: Service, own: Database) -> None:
    await service.record()

    with psycopg.connect(own.superuser) as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute("UPDATE returns.step SET words = 'nobody asked'")
