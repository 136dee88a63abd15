"""Which agencies serve an OCU: each has an area of its own, and one OCU may lie in several."""

from collections.abc import Iterator
from datetime import date

from ppo.tracking.v1 import tracking_pb2 as pb
from services.police import areas
from services.police.areas import Timeline
from services.runtime.reference import Reference
from services.tracking import days
from services.tracking.boundaries import day

TABLES = (
    "probation_offices",
    "primary_care_trusts",
    "drug_teams",
    "youth_offending_teams",
    "ldgs",
    "forums",
)


def found(reference: Reference, version: int, line: Timeline, on: date) -> pb.SearchAreasResponse:
    area = areas.at(line, on)
    later = (pb.AreaSince(effective_start_date=day(start), area=to) for start, to in line if start > on)
    return pb.SearchAreasResponse(
        area=area, version=version, later=later, agencies=_serving(reference, area, on)
    )


def _serving(reference: Reference, ocu: str, on: date) -> Iterator[pb.ServingAgency]:
    for table in TABLES:
        for row in reference.rows(table, at=days.midnight(on)):
            if ocu in row.texts("ocus"):
                yield pb.ServingAgency(kind=table.replace("_", " "), id=row.id, name=row.text("name"))
