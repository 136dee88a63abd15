"""An OCU that ends on a day of the reference data: the case is decided again then, by time alone."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ppo.flagging.v1 import events_pb2 as flagging
from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.reference import Reference
from services.tracking import casefile
from services.tracking.casefile import CaseFile, Entry
from tests.integration.tracking.running import stamp

TABLES = """
[columns.ocus]
name = "text"
[columns.youth_offending_teams]
ocus = "texts"
[[ocus]]
id = "D3"
from = 2004-04-01
name = "D3"
[[ocus]]
id = "E3"
from = 2004-04-01
to = 2004-12-15
name = "E3"
"""
REGISTERED = datetime(2004, 11, 1, 12, tzinfo=UTC)
REFORM = datetime(2004, 12, 15, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    (tmp_path / "ocus.toml").write_text(TABLES)
    return Reference.load(tmp_path)


def test_the_days_on_which_a_table_changes_are_those_a_row_begins_or_ends(reference: Reference) -> None:
    assert reference.turns("ocus", "youth_offending_teams") == [date(2004, 4, 1), date(2004, 12, 15)]


def test_a_case_is_no_more_that_of_an_ocu_that_has_ended(reference: Reference) -> None:
    told = pb.SetResidenceRequest(kind=pb.RESIDENCE_KIND_HOME, ocu="E3")
    home = Entry("home", told, REGISTERED - timedelta(days=9), REGISTERED)
    episode = flagging.Episode(nominating_ocu="D3", effective_start_time=stamp(REGISTERED))
    file = CaseFile(flagging.Flag(episodes=[episode]), [home], reference)

    tenures, following = file.tenures(REFORM - TICK)
    after = file.ownership(REFORM)

    assert tenures[-1].decision.ownership.owner == "E3"
    assert following == REFORM == casefile.reforms(reference)[-1]
    assert (after.owner, after.effective_time.ToDatetime(UTC)) == ("D3", REFORM)
