"""The rules that every request obeys, read off its contract: what is required, and what no field may hold."""

from calendar import monthrange
from collections.abc import Iterator
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.runtime.errors import Invalid

# Long enough for any real text and every 300-character name; short enough that none fills a disk.
LONGEST_TEXT = 2_000
MOST_ITEMS = 1_000


def check(message: Message, path: str = "") -> None:
    """Raises Invalid with the path of the first field that breaks a rule."""
    descriptor: Any = message.DESCRIPTOR
    for field in descriptor.fields:
        where = f"{path}{field.name}"
        _check_required(message, field, where)
        for value in _values(message, field, where):
            _check_value(value, field, where)


def _check_required(message: Message, field: FieldDescriptor, where: str) -> None:
    if field_behavior_pb2.REQUIRED not in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]:
        return
    if field.is_repeated:
        present = bool(getattr(message, field.name))
    elif field.message_type:
        present = message.HasField(field.name)
    else:
        present = getattr(message, field.name) != field.default_value
    if not present:
        raise Invalid(where, "is required")


def _values(message: Message, field: FieldDescriptor, where: str) -> Iterator[Any]:
    value = getattr(message, field.name)
    if field.is_repeated:
        if len(value) > MOST_ITEMS:
            raise Invalid(where, f"has more than {MOST_ITEMS} items")
        yield from value
    elif not field.message_type or message.HasField(field.name):
        yield value


def _check_value(value: Any, field: FieldDescriptor, where: str) -> None:
    if field.type == FieldDescriptor.TYPE_STRING:
        _check_text(value, where)
    elif field.enum_type and value not in field.enum_type.values_by_number:
        raise Invalid(where, f"{value} is not a value of {field.enum_type.name}")
    elif field.message_type and field.message_type.full_name == "google.type.Date":
        _check_date(value, where)
    elif field.message_type and field.message_type.full_name == "google.protobuf.Timestamp":
        _check_time(value, where)
    elif field.message_type:
        check(value, where + ".")


def _check_text(value: str, where: str) -> None:
    if len(value) > LONGEST_TEXT:
        raise Invalid(where, f"is longer than {LONGEST_TEXT} characters")
    # PostgreSQL stores no NUL.
    if "\x00" in value:
        raise Invalid(where, "holds a NUL character")


def _check_date(date: Any, where: str) -> None:
    """A part that is not known is zero; 29 February stands where the year is not known."""
    if not 0 <= date.year <= 9999:
        raise Invalid(where, f"{date.year} is not a year")
    if not 0 <= date.month <= 12:
        raise Invalid(where, f"{date.month} is not a month")
    # 2000 and January have as many days as any year and month can.
    days = monthrange(date.year or 2000, date.month or 1)[1]
    if not 0 <= date.day <= days:
        raise Invalid(where, f"there is no day {date.day} in that month")


def _check_time(time: Any, where: str) -> None:
    try:
        time.ToDatetime()
    except (ValueError, OverflowError):
        raise Invalid(where, "is not a time between the years 1 and 9999") from None
