"""What a person types, read into the contracts' words; what cannot be right is refused with its field."""

import re
from calendar import month_name, monthrange
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date

from ppo.person.v1 import person_pb2 as pb
from services.console import output
from services.console.stop import Stop
from services.runtime.reference import LONDON

Given = Annotated[str, typer.Option(help="Given names.")]
Family = Annotated[str, typer.Option(help="Family name. A one-word name stands here.")]
Born = Annotated[str, typer.Option(help="Date of birth: 1979-03-04, or what is known of it: 1979-03, 1979.")]
Pnc = Annotated[str, typer.Option(help="Police National Computer id, such as 79/163001B.")]
Cro = Annotated[str, typer.Option(help="Criminal Records Office number, such as 65656/91H.")]
Prison = Annotated[str, typer.Option(help="Prison number, such as A1234BC.")]
Postcode = Annotated[str, typer.Option(help="Of where the person lives; speaks for a match, never against.")]
Fingerprint = Annotated[bool, typer.Option("--fingerprint", help="The identifiers came from fingerprints.")]
Offence = Annotated[list[str] | None, typer.Option(help="Arrested for, such as burglary; once for each.")]
Suite = Annotated[str, typer.Option(envvar="PPO_SUITE", help="The custody suite you are in.")]

Whom = Annotated[str, typer.Argument(metavar="PERSON", help="A PNC id, prison number or nominal id.")]
Ocu = Annotated[str, typer.Option(envvar="PPO_OCU", help="The OCU that you work for.")]

SUITE = "D3"
OCU = "D3"
MONTHS = tuple(month_name)[1:]

_ISO = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", re.ASCII)
_BRITISH = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.](\d{4})", re.ASCII)
_NOMINAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_PRISON = re.compile(r"[A-Z]\d{4}[A-Z]{2}", re.IGNORECASE | re.ASCII)
_MONTH = re.compile(r"(\d{4})-(\d{1,2})", re.ASCII)


def person(
    *, name: pb.Name, born: str = "", identifiers: Mapping[pb.IdentifierKind.ValueType, str]
) -> pb.Person:
    made = pb.Person()
    if name.given_name or name.family_name:
        made.name.CopyFrom(name)
    if born:
        made.birth_date.CopyFrom(birth_date(born))
    for kind, value in identifiers.items():
        if value:
            made.identifiers.add(kind=kind, value=value)
    return made


def typed(*, given: str, family: str, born: str, postcode: str, pnc: str, cro: str, prison: str) -> pb.Person:
    """The person that the options of a command describe."""
    name = pb.Name(given_name=given.strip(), family_name=family.strip())
    made = person(name=name, born=born, identifiers=numbers(pnc=pnc, cro=cro, prison=prison))
    made.postcode = postcode.strip()
    return made


def numbers(*, pnc: str = "", cro: str = "", prison: str = "") -> dict[pb.IdentifierKind.ValueType, str]:
    return {
        pb.IDENTIFIER_KIND_PNC_ID: pnc.strip(),
        pb.IDENTIFIER_KIND_CRO_NUMBER: cro.strip(),
        pb.IDENTIFIER_KIND_PRISON_NUMBER: prison.strip(),
    }


def offences(text: str) -> list[str]:
    """The codes of what somebody was arrested for: "Burglary, aggravated burglary"."""
    return ["-".join(words) for each in text.lower().split(",") if (words := re.findall(r"[^\s_-]+", each))]


def spoken(text: str) -> pb.Name:
    """ "Kelly, Shane" or "Shane Kelly"; one word is a family name."""
    family, comma, given = text.partition(",")
    if not comma:
        given, _, family = text.strip().rpartition(" ")
    return pb.Name(given_name=given.strip(), family_name=family.strip())


def birth_date(text: str) -> Date:
    """What is known of it; the rest is zero. The day first, where there are slashes."""
    given = parts(text)
    if given is None:
        raise _refused(text, "is not a date")
    year, month, day = given
    _refuse_impossible(text, year, month, day)
    return Date(year=year, month=month, day=day)


def parts(text: str) -> tuple[int, int, int] | None:
    """Year, month and day as written, 0 for what is not; None for what is no date."""
    if british := _BRITISH.fullmatch(text.strip()):
        day, month, year = map(int, british.groups())
        return year, month, day
    iso = _ISO.fullmatch(text.strip())
    return (int(iso[1]), int(iso[2] or 0), int(iso[3] or 0)) if iso else None


def _refuse_impossible(text: str, year: int, month: int, day: int) -> None:
    if month > 12:
        raise _refused(text, f"there is no month {month}")
    if not 1850 <= year <= datetime.now(UTC).year:
        raise _refused(text, f"nobody in custody was born in {year}")
    if day > monthrange(year, month or 1)[1]:
        raise _refused(text, f"there is no day {day} in that month")


def _refused(text: str, rule: str) -> Stop:
    return Stop(f"date of birth {text!r}: {rule}; write 1979-03-04, or what is known of it: 1979-03, 1979", 2)


def identifier(text: str) -> pb.Identifier:
    """A nominal id, a prison number or a PNC id, whichever it looks like."""
    typed = text.strip()
    shapes = ((_NOMINAL, pb.IDENTIFIER_KIND_NOMINAL_ID), (_PRISON, pb.IDENTIFIER_KIND_PRISON_NUMBER))
    kinds = (kind for shape, kind in shapes if shape.fullmatch(typed))
    return pb.Identifier(kind=next(kinds, pb.IDENTIFIER_KIND_PNC_ID), value=typed)


def month(text: str) -> Date:
    typed = _MONTH.fullmatch(text.strip())
    if typed is None or not 1 <= int(typed[2]) <= 12:
        raise Stop(f"MONTH {text!r} is not a month; write it as 2004-12", 2)
    return Date(year=int(typed[1]), month=int(typed[2]))


def instant(text: str, option: str) -> Timestamp:
    """A local time such as 2004-12-31T20:00; the zone is London's where none is given."""
    made = Timestamp()
    made.FromDatetime(when(text, option))
    return made


def when(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Stop(f"{option} {text!r} is not a time; write it as 2004-12-31T20:00", 2) from None
    return time if time.tzinfo else time.replace(tzinfo=LONDON)


def words(enum: output.Enum) -> str:
    """What may be typed for a value of the contract, for a help text."""
    return ", ".join(output.word(enum, number) for number in enum.DESCRIPTOR.values_by_number if number)


def value(enum: output.Enum, text: str, field: str) -> Any:
    """The value of the contract that a person calls `text`."""
    typed = text.strip().lower().replace("_", " ").replace("-", " ")
    for number in enum.DESCRIPTOR.values_by_number:
        if number and output.word(enum, number) == typed:
            return number
    raise Stop(f"{field}: {text!r} is none of {words(enum)}", 2)
