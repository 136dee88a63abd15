"""The made-up lives of `ppo bench ownership`: whole, the same at every run, told late and out of order."""

from collections import Counter
from datetime import UTC

from ppo.custody.v1 import events_pb2 as custody
from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import person_pb2
from ppo.tracking.v1 import movement_pb2
from ppo.tracking.v1 import tracking_pb2 as tracking
from services.console.bench import lives
from services.people import identifiers
from services.runtime import validation

TOLD = lives.told(200, 1)
PRISON_NUMBER = person_pb2.IDENTIFIER_KIND_PRISON_NUMBER


def test_the_same_lives_are_made_up_at_every_run() -> None:
    assert lives.told(50, 1) == lives.told(50, 1) != lives.told(50, 2)


def test_everybody_is_registered_before_anything_is_told_of_them() -> None:
    first: dict[str, lives.Fact] = {}
    for one in TOLD:
        first.setdefault(one.nominal_id, one.fact)

    assert len(first) == 200
    assert {type(fact) for fact in first.values()} == {flagging.Flag}


def test_there_is_of_every_kind_and_all_of_it_would_be_taken() -> None:
    kinds = Counter(type(one.fact) for one in TOLD)

    for one in TOLD:
        validation.check(one.fact)
        assert identifiers.canonical(PRISON_NUMBER, one.prison_number) == one.prison_number
    assert (
        min(
            kinds[kind]
            for kind in (
                *(flagging.Flag, custody.PpoArrested, movement_pb2.Movement),
                *(tracking.SetResidenceRequest, tracking.PlanReleaseRequest),
            )
        )
        > 20
    )


def test_arrests_are_told_late_and_some_out_of_order() -> None:
    arrests = [
        (one.at, one.fact.arrested_time.ToDatetime(UTC))
        for one in TOLD
        if isinstance(one.fact, custody.PpoArrested)
    ]

    happened = [occurred for _, occurred in arrests]
    assert all(occurred <= told for told, occurred in arrests)
    assert happened != sorted(happened)
