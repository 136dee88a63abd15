"""What it changes to know aliases and postcodes besides a name and a date of birth."""

from collections.abc import Iterator, Sequence
from random import Random

from ppo.person.v1 import person_pb2
from services.console.bench import engines, febrl, fit, trials
from services.console.bench.febrl import Record, Setting
from services.console.bench.measures import Measure
from services.console.bench.trials import FALSE_ALARMS, At
from services.people.index import Index

# Of those who have an alias, so many in a hundred give it.
UNDER_ALIAS = 30


def aliases(records: Sequence[Record], size: int, questions: int) -> Iterator[Measure]:
    """Everybody held has an alias, and some give it: with the aliases held, and without."""
    setting = trials.asked(febrl.setting(records, size, fit.SEED), questions)
    setting = _under_aliases(setting, records)
    without = [(nominal_id, _unaliased(person)) for nominal_id, person in setting.held]
    yield from _told({"aliases": "not held"}, fit.filled(setting._replace(held=without)), setting)
    yield from _told({"aliases": "held"}, fit.filled(setting), setting)


def postcodes(records: Sequence[Record], size: int, questions: int) -> Iterator[Measure]:
    """Everybody held has a postcode: where it is given too, and where it is not."""
    setting = trials.asked(febrl.setting(records, size, fit.SEED), questions)
    index = fit.filled(setting)
    yield from _told({"postcodes": "not given"}, index, _homeless(setting))
    yield from _told({"postcodes": "given"}, index, setting)


def _told(known: At, index: Index, setting: Setting) -> Iterator[Measure]:
    said = trials.answers(setting, engines.asking(index))
    carried = {far: index.threshold(far) for far in FALSE_ALARMS}
    at: At = {"data": "febrl4", "index": len(setting.held), "engine": "ppo", **known}
    yield from trials.decided({**at, "asked": len(said.seconds)}, [said], [carried])


def _under_aliases(setting: Setting, records: Sequence[Record]) -> Setting:
    # As distractors, never of strangers: an index would hold the names of just those who are not in it.
    *others, _ = febrl.parts(records, 3, fit.SEED)
    chance, originals = Random(fit.SEED), [each for part in others for each in part if each.original]
    alias = {nominal_id: febrl.distractor(originals, chance).name for nominal_id, _ in setting.held}
    held = [(nominal_id, _aliased(person, alias[nominal_id])) for nominal_id, person in setting.held]
    members = [
        each._replace(person=person_pb2.Person(name=alias[each.of], birth_date=each.person.birth_date))
        if chance.random() * 100 < UNDER_ALIAS
        else each
        for each in setting.members
    ]
    return Setting(held, members, setting.strangers)


def _aliased(person: person_pb2.Person, alias: person_pb2.Name) -> person_pb2.Person:
    return person_pb2.Person(name=person.name, birth_date=person.birth_date, aliases=[alias])


def _unaliased(person: person_pb2.Person) -> person_pb2.Person:
    return person_pb2.Person(name=person.name, birth_date=person.birth_date)


def _homeless(setting: Setting) -> Setting:
    members, strangers = (
        [each._replace(person=_unaliased(each.person)) for each in asked]
        for asked in (setting.members, setting.strangers)
    )
    return Setting(setting.held, members, strangers)
