"""What the desk reads of whose case somebody is."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console

from ppo.custody.v1 import custody_pb2 as custody
from ppo.person.v1 import person_pb2 as pb
from ppo.person.v1 import screening_pb2 as screening
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console import answer


def flagged(*candidates: str, **ownership: object) -> custody.Answer:
    said = custody.Answer(basis=custody.BASIS_REGISTER)
    said.screening.outcome = screening.OUTCOME_FLAGGED
    said.screening.candidates.extend(screening.Candidate(nominal_id=one) for one in candidates)
    if ownership:
        said.ownership.MergeFrom(tracking.Ownership(**ownership))  # type: ignore[arg-type]
    return said


def page(said: custody.Answer) -> str:
    """With one space between what stands beside each other."""
    screen = Console(width=120)
    with screen.capture() as captured:
        screen.print(answer.page(said))
    return " ".join(captured.get().split())


def at(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


def test_owner_and_both_managers_are_shown_with_their_telephones() -> None:
    said = flagged(
        "n1", owner="E3", interested_ocus=["D3", "F2"], state=tracking.OWNERSHIP_STATE_ASSIGNED, rule="O6"
    )
    said.police_manager.MergeFrom(
        tracking.Manager(name="PC Shah", telephone="0121 496 0001", organisation="E3")
    )
    said.probation_manager.MergeFrom(tracking.Manager(name="Ms Bell", telephone="0121 496 0002"))
    said.lead = tracking.LEAD_PROBATION

    shown = page(said)

    assert "Owner E3, by O6 Interested D3, F2" in shown
    assert "Police PC Shah, 0121 496 0001, E3" in shown
    assert "E3, leads" not in shown
    assert "Probation Ms Bell, 0121 496 0002, leads" in shown


@pytest.mark.parametrize(
    ("ownership", "line"),
    [
        ({"state": tracking.OWNERSHIP_STATE_INTERIM}, "Owner E3, interim"),
        ({"state": tracking.OWNERSHIP_STATE_DISPUTED}, "Owner E3, disputed"),
        (
            {
                "state": tracking.OWNERSHIP_STATE_PROPOSED,
                "proposed_owner": "D3",
                "handover_time": at(datetime(2005, 1, 4, 9, tzinfo=UTC)),
            },
            "Owner E3, proposed, then D3, from 4 Jan 2005 09:00:00",
        ),
    ],
)
def test_an_owner_who_may_change_is_shown_as_one(ownership: dict[str, object], line: str) -> None:
    assert line in page(flagged("n1", owner="E3", **ownership))


def test_of_several_people_it_is_said_whose_owner_it_is() -> None:
    assert "Owner E3 (of the first person below)" in page(
        flagged("n1", "n2", owner="E3", state=tracking.OWNERSHIP_STATE_ASSIGNED)
    )


def test_where_no_owner_is_known_none_is_shown() -> None:
    assert "Owner" not in page(flagged("n1"))


@pytest.mark.parametrize(
    ("aliases", "more"), [(1, ""), (5, ""), (7, "and 2 more")], ids=["one", "as many as fit", "more"]
)
def test_a_candidate_is_shown_with_the_aliases_that_a_match_may_be_of(aliases: int, more: str) -> None:
    said = flagged("n1")
    names = [pb.Name(given_name="Sean", family_name=f"Kelley{number}") for number in range(aliases)]
    said.screening.candidates[0].person.aliases.extend(names)

    shown = page(said)

    assert shown.count("also KELLEY") == min(aliases, 5)
    assert ("more" in shown) is bool(more)
    assert more in shown
