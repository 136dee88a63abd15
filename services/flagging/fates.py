"""What becomes of a prisoner's movement in the register and in the index."""

from enum import StrEnum


class Fate(StrEnum):
    ENDED = "ended"
    # A death was taken back: the person is a PPO as before.
    RETURNED = "returned"
    NUMBER_LEARNT = "number_learnt"
    # It was known before, or the person has no registration that could end.
    NOTHING_NEW = "nothing_new"
    UNKNOWN_NUMBER = "unknown_number"
    NOT_USED = "not_used"
    TWO_NOMINALS = "two_nominals"
    # A nomination is no registration yet: its forum declines it.
    ONLY_NOMINATED = "only_nominated"
    DOES_NOT_FIT = "does_not_fit"
    # A death was taken back that another movement tells of as well: the person is a PPO meanwhile.
    TOLD_BY_ANOTHER = "told_by_another"
    # A death was taken back under a number that is not the dead person's: the death stands meanwhile.
    TAKEN_BACK_BY_ANOTHER = "taken_back_by_another"
    # A death was taken back, and the registration was ended by somebody's own decision.
    DECIDED_BY_SOMEBODY = "decided_by_somebody"


DOUBTFUL = frozenset(
    {
        Fate.TWO_NOMINALS,
        Fate.ONLY_NOMINATED,
        Fate.DOES_NOT_FIT,
        Fate.TOLD_BY_ANOTHER,
        Fate.TAKEN_BACK_BY_ANOTHER,
        Fate.DECIDED_BY_SOMEBODY,
    }
)
