"""Who can be rung at an instant, and which offences call for a drug test then."""

from collections.abc import Iterable
from datetime import datetime

from services.police import duty
from services.runtime.reference import Reference, Row


def contact(reference: Reference, *, owners: Iterable[str], suite: Row, at: datetime) -> Row:
    """The contact on duty of the first owner who has one, else the suite's control room: always somebody."""
    on_call = duty.on_call(reference, owners=owners, at=at)
    return on_call or reference.follow(suite, "control_room", at=at)


def trigger_offences(reference: Reference, codes: Iterable[str], at: datetime) -> list[str]:
    return [code for code in codes if reference.row("trigger_offences", code, at=at) is not None]
