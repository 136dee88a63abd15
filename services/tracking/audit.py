"""Holds the history of ownership that is kept against the one that the facts make, case by case."""

import time
from datetime import datetime

from ppo.tracking.v1 import tracking_pb2 as pb
from services.runtime.database import Database
from services.tracking import corrections
from services.tracking.casebook import Casebook, Held
from services.tracking.settle import Settler
from services.tracking.store import persons

# So many are held at once, for as long as it takes to decide them.
TOGETHER = 100


async def audit(database: Database, settler: Settler, now: datetime) -> pb.CheckOwnershipsResponse:
    found, after = pb.CheckOwnershipsResponse(), ""
    while True:
        async with database.transaction() as session:
            page = await persons.page(session, after, TOGETHER)
            book = await Casebook.open(session, page)
        if not page:
            return found
        for nominal_id in page:
            held = book.of(nominal_id)
            if held is not None and held.person.merged_into is None:
                _add(found, held, settler, now)
        after = page[-1]


def _add(found: pb.CheckOwnershipsResponse, held: Held, settler: Settler, now: datetime) -> None:
    file = held.file(settler.reference, settler.limits)
    began = time.perf_counter()
    tenures, _ = file.tenures(now)
    found.decide_seconds += time.perf_counter() - began
    history = [row.to_period() for row in held.standing]
    made = [(tenure.start, tenure.decision.ownership) for tenure in tenures]
    found.cases += 1
    found.decisions += len(tenures)
    found.breaches += corrections.breaches(file.spans, history, now)
    found.differing += made != [(one.start, one.ownership) for one in history]
