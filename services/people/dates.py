"""What is typed as a date of birth."""

from google.type.date_pb2 import Date

# Where a form or a system asks for a date and there is none; taken as one they would speak against everybody.
_NO_DATES = frozenset({(1, 1, 1), (1111, 11, 11), (1753, 1, 1), (1900, 1, 1), (9999, 12, 31)})
_NO_YEARS = frozenset(year for year, _, _ in _NO_DATES)


def stated(born: Date) -> bool:
    """Whether it was meant to be a date."""
    if not born.month and not born.day:
        return born.year not in _NO_YEARS
    return (born.year, born.month, born.day) not in _NO_DATES
