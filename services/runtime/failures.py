"""What goes wrong with PostgreSQL, in our own words: an outage that may pass by itself, or a refusal."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.runtime.errors import Conflict, Unavailable

# The driver's own errors, where it is spoken to past SQLAlchemy.
PASSING = (psycopg.OperationalError, psycopg.InterfaceError)
# Of a server that may only be read for the time being, for one.
_INTERNAL = psycopg.InternalError
_LASTING = (psycopg.IntegrityError, psycopg.DataError)


@contextmanager
def answered() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, PoolTimeout, *PASSING, _INTERNAL) as error:
        cause = getattr(error, "orig", None) or error
        if isinstance(cause, psycopg.errors.LockNotAvailable):
            raise Unavailable("postgres", "has others at work on the same records: try again") from None
        raise Unavailable("postgres", f"does not answer ({type(cause).__name__})") from None
    except (IntegrityError, DataError, *_LASTING) as error:
        # Its message quotes the row; the constraint's name says the rule.
        refused = getattr(error, "orig", None) or error
        rule = getattr(getattr(refused, "diag", None), "constraint_name", None) or type(refused).__name__
        raise Conflict(f"the database refuses this: {rule}") from None
