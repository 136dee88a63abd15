"""Times and days as a request gives them."""

from datetime import UTC, date, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from services.runtime.errors import Invalid


def time(request: Message, field: str, told: Timestamp) -> datetime | None:
    return told.ToDatetime(UTC) if request.HasField(field) else None


def refuse_partial(on: Date, field: str) -> None:
    if not (on.year and on.month and on.day):
        raise Invalid(field, "needs its year, month and day")


def day(told: Date) -> date:
    return date(told.year, told.month, told.day)
