"""The service's RPCs, one short method each: a file for each subject."""

from services.tracking.api.areas import Areas
from services.tracking.api.cases import Cases
from services.tracking.api.journeys import Journeys
from services.tracking.api.letters import DeadLetters
from services.tracking.api.notices import Notices
from services.tracking.api.releases import Releases
from services.tracking.api.returns import MonthlyReturns


class Tracking(Journeys, Cases, Releases, Areas, Notices, DeadLetters, MonthlyReturns):
    """One servicer, as gRPC has it."""
