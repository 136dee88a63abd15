"""A person read once: every form of the name, the date of birth, the sex, the postcode."""

from collections.abc import Iterator
from typing import NamedTuple

from ppo.person.v1 import person_pb2
from services.people import dates, likeness, names, postcodes
from services.people.names import Wording

# The same to everybody as no sex recorded.
_NO_SEX = person_pb2.SEX_NOT_SPECIFIED


class Form(NamedTuple):
    """One way to read a person's name."""

    wording: Wording
    # How many aliases the person has, where this is one of them.
    aliases: int = 0
    swapped: bool = False
    # From another script, in Latin letters.
    romanised: bool = False

    @property
    def marks(self) -> tuple[str, ...]:
        marks = {"alias": self.aliases, "romanised": self.romanised, "swapped": self.swapped}
        return tuple(mark for mark, true in marks.items() if true)


NAMELESS = Form(Wording("", ""))


class Reading(NamedTuple):
    forms: tuple[Form, ...]
    # As likeness.date_code.
    born: int
    sex: int
    postcode: str


def read(person: person_pb2.Person) -> Reading:
    date = person.birth_date
    born = likeness.date_code((date.year, date.month, date.day)) if dates.stated(date) else 0
    sex = 0 if person.sex == _NO_SEX else person.sex
    return Reading(_forms(person), born, sex, postcodes.normal(person.postcode))


def named(person: person_pb2.Person) -> bool:
    """Whether any of the names says who it is; initials are no more than looked for."""
    return any(names.wording(each).family for each in (person.name, *person.aliases))


def swapped(form: Form) -> Form:
    return form._replace(wording=Wording(form.wording.family, form.wording.given), swapped=True)


def _forms(person: person_pb2.Person) -> tuple[Form, ...]:
    main = names.written(person.name)
    forms = tuple(_written(Form(main))) if main.family else ()
    # Most have none, and an index reads a million.
    return (*forms, *_other_forms(person, main)) if person.aliases else forms


def _other_forms(person: person_pb2.Person, main: Wording) -> Iterator[Form]:
    aliases = {wording for each in person.aliases if (wording := names.written(each)).family} - {main}
    # Sorted, for a tie must not hang on the order of a set.
    for wording in sorted(aliases):
        yield from _written(Form(wording, len(aliases)))


def _written(form: Form) -> Iterator[Form]:
    yield form
    given, family = map(names.latin, form.wording)
    # Some scripts have signs that no Latin letter stands for.
    if family and (given, family) != form.wording:
        yield Form(Wording(given, family), form.aliases, romanised=True)
