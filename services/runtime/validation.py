"""The rules that every request obeys, read off its contract: what is required, and what no field may hold."""

from calendar import isleap
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from operator import attrgetter, methodcaller, truth
from typing import Any, NamedTuple

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from services.runtime.errors import Invalid

# Long enough for any real text and every 300-character name; short enough that none fills a disk.
LONGEST_TEXT = 2_000
MOST_ITEMS = 1_000


# By month; the first where the month is not known.
_DAYS = (31, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# The last second of the year 9999.
_LAST_SECOND = 253_402_300_799

Check = Callable[[Any, str], None]
Fits = Callable[[Any], bool]
# Fields, and whether a value of each surely obeys its rules.
Sure = tuple[tuple[Callable[[Any], Any], Fits], ...]


class Rules(NamedTuple):
    """What holds of a message's fields, by number; most fields take any value and have no check."""

    required: Mapping[int, str]
    checks: Mapping[int, Check]


def check(message: Message, path: str = "") -> None:
    """Raises Invalid with the path of a field that breaks a rule."""
    body = message.SerializeToString()
    # In so few bytes no text is too long and no list too many; where none is zero, no text has a NUL.
    short = len(body) < MOST_ITEMS and 0 not in body
    if not (short and _fits(_sure(message.DESCRIPTOR), message)):
        _check_whole(message, path)


def _fits(sure: Sure, message: Message) -> bool:
    for value, fits in sure:  # noqa: SIM110 - a generator takes half as long again
        if not fits(value(message)):
            return False
    return True


@cache
def _sure(descriptor: Descriptor) -> Sure:
    """What is left to ask of a short message; one that does not fit is asked everything."""
    return tuple(_asked(descriptor))


def _asked(descriptor: Descriptor) -> Iterator[tuple[Callable[[Any], Any], Fits]]:
    for field in descriptor.fields:
        value = attrgetter(field.name)
        if _required(field):
            yield methodcaller("HasField", field.name) if field.has_presence else value, truth
        fits = _fits_one(field)
        if fits is not None:
            yield value, partial(_all_fit, fits) if field.is_repeated else fits


def _fits_one(field: FieldDescriptor) -> Fits | None:
    if field.enum_type:
        return frozenset(field.enum_type.values_by_number).__contains__
    if not field.message_type:
        return None
    known = _FITTING.get(field.message_type.full_name)
    inner = _sure(field.message_type)
    return known or (partial(_fits, inner) if inner else None)


def _all_fit(fits: Fits, values: Any) -> bool:
    return all(map(fits, values))


def _date_fits(date: Any) -> bool:
    shortest = 28 if date.month == 2 else 30
    return bool(0 <= date.year <= 9999 and 0 <= date.month <= 12 and 0 <= date.day <= shortest)


def _time_fits(time: Timestamp) -> bool:
    return 0 <= time.seconds <= _LAST_SECOND and 0 <= time.nanos <= 999_999_999


def _check_whole(message: Message, path: str) -> None:
    required, checks = _rules(message.DESCRIPTOR)
    given = message.ListFields()
    if required:
        present = {field.number for field, _ in given}
        for number, name in required.items():
            if number not in present:
                raise Invalid(path + name, "is required")
    for field, value in given:
        check_value = checks.get(field.number)
        if check_value is not None:
            check_value(value, path + field.name)


@cache
def _rules(descriptor: Descriptor) -> Rules:
    """Read off the contract once a type, for an import asks this of every row."""
    return Rules(
        {field.number: field.name for field in descriptor.fields if _required(field)},
        {field.number: found for field in descriptor.fields if (found := _check(field))},
    )


def _required(field: FieldDescriptor) -> bool:
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _check(field: FieldDescriptor) -> Check | None:
    one = _check_one(field)
    return partial(_check_items, one) if field.is_repeated else one


def _check_items(one: Check | None, values: Any, where: str) -> None:
    if len(values) > MOST_ITEMS:
        raise Invalid(where, f"has more than {MOST_ITEMS} items")
    if one is not None:
        for place, value in enumerate(values):
            one(value, f"{where}[{place}]")


def _check_one(field: FieldDescriptor) -> Check | None:
    if field.type == FieldDescriptor.TYPE_STRING:
        return _check_text
    if field.enum_type:
        return partial(_check_enum, frozenset(field.enum_type.values_by_number), field.enum_type.name)
    if field.message_type:
        return _MESSAGES.get(field.message_type.full_name, _check_message)
    return None


def _check_message(value: Message, where: str) -> None:
    check(value, where + ".")


def _check_enum(values: frozenset[int], name: str, value: int, where: str) -> None:
    if value not in values:
        raise Invalid(where, f"{value} is not a value of {name}")


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
    # A year that is not known may have been a leap year, a month that is not known a long one.
    days = 28 if date.month == 2 and date.year and not isleap(date.year) else _DAYS[date.month]
    if not 0 <= date.day <= days:
        raise Invalid(where, f"there is no day {date.day} in that month")


def _check_time(time: Any, where: str) -> None:
    try:
        year = time.ToDatetime().year
    except (ValueError, OverflowError):
        year = 0
    # Whoever knows no time may write the first instant there is, which in London was on no day at all.
    if year < 2:
        raise Invalid(where, "is not a time between the years 2 and 9999")


_MESSAGES: dict[str, Check] = {
    "google.type.Date": _check_date,
    "google.protobuf.Timestamp": _check_time,
}

_FITTING: dict[str, Fits] = {
    "google.type.Date": _date_fits,
    "google.protobuf.Timestamp": _time_fits,
}
