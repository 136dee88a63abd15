"""Who is missed and who is suspected by the kind of name, so that nobody is for theirs."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress

from services.console.bench import trials
from services.console.bench.febrl import Record
from services.console.bench.measures import Measure
from services.console.bench.trials import Answers, At, Trial
from services.people import names

# By the family name as it is given.
Groups = dict[str, Callable[[str], bool]]
BY_LETTERS: Groups = {
    "up to 4 letters": lambda name: 0 < len(name) < 5,
    "5 to 7 letters": lambda name: 5 <= len(name) <= 7,
    "8 letters and more": lambda name: len(name) > 7,
    "several words": lambda name: " " in name,
    "ends in a vowel": lambda name: name.endswith(("a", "i", "o", "u")),
    "ends in a consonant": lambda name: bool(name) and not name.endswith(("a", "e", "i", "o", "u", "y")),
    "letters rare in English": lambda name: bool(re.search("[jkqvxz]|sch|cz|ph", name)),
    "missing": lambda name: not name,
}
# Shared by more of a thousand people than this, a name is common: it tells least, whatever its letters.
COMMON = 2


def by_name(records: Sequence[Record]) -> Groups:
    families = Counter(_family(each) for each in records if each.original)
    common = {name for name, held in families.items() if held * 1000 > COMMON * families.total()} - {""}
    return {
        **BY_LETTERS,
        "common": lambda name: name in common,
        "not common": lambda name: bool(name) and name not in common,
    }


def told(groups: Groups, at: At, tried: Sequence[Trial], thresholds: Sequence[float]) -> Iterator[Measure]:
    for group, belongs in groups.items():
        parts = [_part(each, belongs) for each in tried]
        if not all(part.places and part.alarms for part in parts):
            continue
        asked = sum(len(part.places) + len(part.alarms) for part in parts)
        pairs = [*zip(parts, thresholds, strict=True)]
        told_at = partial(trials.measure, {**at, "group": group, "asked": asked})
        yield told_at("recall_at_1", [part.found(1) for part in parts])
        yield told_at("recall_at_far", [part.recall(threshold) for part, threshold in pairs])
        yield told_at("false_alarms", [part.suspected(threshold) for part, threshold in pairs])


def _part(trial: Trial, belongs: Callable[[str], bool]) -> Answers:
    """What was answered to those of a group."""
    setting, said = trial.setting, trial.answers
    members = [belongs(_family(each)) for each in setting.members]
    strangers = [belongs(_family(each)) for each in setting.strangers]
    return Answers(
        [*compress(said.places, members)],
        [*compress(said.scores, members)],
        [*compress(said.firsts, members)],
        [*compress(said.alarms, strangers)],
        [],
        [],
    )


def _family(record: Record) -> str:
    return names.wording(record.person.name).family
