"""The statement that counts a month of any number of areas at once."""

from services.tracking.store.counts.before_after import COHORT, FOLLOWED
from services.tracking.store.counts.delivery import DELIVERY, DUE
from services.tracking.store.counts.drug_tests import SUITES, TESTS
from services.tracking.store.counts.listed import LISTED
from services.tracking.store.counts.people import BANDED, MEMBERS, MINORS, PEOPLE, THEIRS
from services.tracking.store.counts.progress import PROGRESS

# Parameters (services/tracking/counting.py makes them): start and end of the month, its first and last day;
# areas and beside each an OCU of it; youth offending teams and beside each an OCU that it serves; owners:
# OCUs and teams whose cases may be an area's.
CELLS = " UNION ALL ".join(
    (
        f"{LISTED}, {THEIRS}, {BANDED}, {SUITES}, {DUE}, {COHORT} {PEOPLE}",
        MEMBERS,
        MINORS,
        TESTS,
        PROGRESS,
        DELIVERY,
        FOLLOWED,
    )
)
