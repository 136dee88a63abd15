"""A person read once: every form of the name, the date of birth, and the keys to be found by."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from ppo.person.v1 import person_pb2
from services.people import names, weights
from services.people.likeness import Born
from services.people.names import Wording

DateKey = tuple[Born, str]

# Names longer than any real one are not worth a key for each letter.
_LETTERS_KEYED = 40


class Form(NamedTuple):
    """One way to read a person's name, what it is, and the bits it costs to be read that way."""

    wording: Wording
    price: float = 0.0
    marks: tuple[str, ...] = ()


class Reading(NamedTuple):
    forms: tuple[Form, ...]
    born: Born


def read(person: person_pb2.Person) -> Reading:
    date = person.birth_date
    return Reading(tuple(_forms(person)), (date.year, date.month, date.day))


def swapped(form: Form) -> Form:
    wording = Wording(form.wording.family, form.wording.given)
    return Form(wording, form.price + weights.SWAPPED, (*form.marks, "swapped"))


def families(reading: Reading) -> set[str]:
    return {form.wording.family for form in reading.forms} - {""}


def cues(words: str) -> set[str]:
    """What a name shares with those it may be mistaken for: a letter dropped, its sound, its words."""
    word = names.joined(words)
    dropped = {word[:at] + word[at + 1 :] for at in range(min(len(word), _LETTERS_KEYED))}
    return ({word, f"~{names.sound(word)}", *words.split()} | dropped) - {"", "~"}


def given_cues(reading: Reading) -> set[str]:
    """The cues of every given name and of what it is short for; "" where one is missing."""
    given = {form.wording.given for form in reading.forms}
    words = {word for each in given for word in each.split()}
    near = {cue for word in words for cue in cues(word) | names.short_for(word)}
    return near | {""} if "" in given else near


def date_keys(reading: Reading) -> set[DateKey]:
    """The whole date; and any two parts of it with a given name's initial, for a date that is near."""
    year, month, day = reading.born
    initials = {form.wording.given[:1] for form in reading.forms}
    near = [born for born in ((0, month, day), (year, 0, day), (year, month, 0)) if born.count(0) == 1]
    whole = {(reading.born, "")} if reading.forms and all(reading.born) else set()
    return whole | {(born, initial) for born in near for initial in initials}


def _forms(person: person_pb2.Person) -> Iterator[Form]:
    main = names.wording(person.name)
    aliases = {wording for each in person.aliases if (wording := names.wording(each)).family} - {main}
    if main.family:
        yield Form(main)
    # As many chances to agree as there are names; sorted, for a tie must not hang on the order of a set.
    price = min(math.log2(len(aliases) + 1), weights.ALIAS_AT_MOST)
    for wording in sorted(aliases):
        yield Form(wording, price, ("alias",))
