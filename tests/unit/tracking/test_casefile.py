"""What a case says of a person's flag at an instant."""

from datetime import UTC, datetime, timedelta

import pytest

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.person.v1 import screening_pb2
from services.runtime.reference import Reference
from services.tracking.casefile import CaseFile
from tests.integration.tracking.running import stamp
from tests.servers import REFERENCE
from tests.unit.tracking.files import arrested, casefile, lives, on

NOON = datetime(2004, 12, 31, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("after", "flagged"), [(-MICROSECOND, True), (0 * MICROSECOND, False), (MICROSECOND, False)]
)
def test_a_case_ends_with_its_flag_at_the_instant(after: timedelta, flagged: bool) -> None:
    episode = flagging.Episode(
        effective_start_time=stamp(NOON - timedelta(days=1)), effective_end_time=stamp(NOON)
    )
    # As it was published, while the end lay ahead.
    flag = flagging.Flag(state=screening_pb2.FLAG_STATE_FLAGGED, episodes=[episode])

    said = CaseFile(flag, [], Reference.load(REFERENCE)).flag_state(NOON + after)

    assert (said == screening_pb2.FLAG_STATE_FLAGGED) == flagged


# The reference data begins on 1 April 2004.
BEFORE = on(1, 15)


def test_who_was_registered_before_the_reference_data_begins_is_owned_by_what_it_begins_with() -> None:
    owned = casefile(lives("E3", on(1, 1)), start=BEFORE).ownership(BEFORE)

    assert (owned.owner, owned.rule) == ("E3", "O5")


def test_an_arrest_before_the_reference_data_begins_counts_where_the_suite_was_first() -> None:
    file = casefile(arrested("E3", BEFORE), start=on(6, 1))

    assert [offence.area for offence in file.offences] == ["E3"]
    assert file.ownership(on(6, 1)).owner == "E3"
