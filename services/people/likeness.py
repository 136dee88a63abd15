"""How a name or a date of birth compares with others, as levels without a weight."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cdist

from services.people import names

# Year, month, day; a part that is not known is zero.
Born = tuple[int, int, int]
Levels = NDArray[np.uint8]
Codes = NDArray[np.int32]

# In words, by number; nothing is said of what is missing, or stands in another script.
NAMES = (
    *("", "exact", "first name", "one edit", "nickname", "sounds alike"),
    *("two edits", "shared word", "initial", "similar", "differs"),
)
EXACT, _FIRST, _ONE_EDIT, _NICKNAME, _SOUND, _TWO_EDITS, _WORD, _INITIAL, _SIMILAR, DIFFERS = range(1, 11)
_WEAK = np.zeros(len(NAMES), bool)
_WEAK[[_TWO_EDITS, _SIMILAR, DIFFERS]] = True

DATES = (
    *("", "exact", "partial", "day and month swapped", "one digit", "two parts"),
    *("partly differs", "differs"),
)
WHOLE, PARTIAL, _TURNED, _SLIP, _TWO_PARTS, PARTLY_DIFFERS, DATE_DIFFERS = range(1, 8)

# How the years relate: not both known, the same, a slip apart, others.
YEARS = 4
# And the days: not known; only the month, the same or another; only the day; both the same, turned, a slip
# apart, one the same, none.
_UNKNOWN, MONTH, _OTHER_MONTH, DAY, _OTHER_DAY, BOTH, _TURNED_DAY, _SLIP_DAY, _ONE_PART, _NEITHER = range(10)
DAYS = 10
# By the years' relation and the days'.
DATE_LEVELS = np.array(
    [
        [0, PARTIAL, PARTLY_DIFFERS, PARTIAL, PARTLY_DIFFERS, PARTIAL, *[PARTLY_DIFFERS] * 4],
        [
            *(PARTIAL, PARTIAL, PARTLY_DIFFERS, PARTIAL, PARTLY_DIFFERS),
            *(WHOLE, _TURNED, _SLIP, _TWO_PARTS, DATE_DIFFERS),
        ],
        [*[PARTLY_DIFFERS] * 5, _SLIP, *[DATE_DIFFERS] * 4],
        [*[PARTLY_DIFFERS] * 5, _TWO_PARTS, *[DATE_DIFFERS] * 4],
    ],
    np.uint8,
)


# What stands in no near date of a whole one, by relation: dates that are missing, or rather another.
FAR = np.isin(DATE_LEVELS, (0, _TWO_PARTS, PARTLY_DIFFERS, DATE_DIFFERS)).ravel()


class Spellings(NamedTuple):
    """Names, with what is compared of them."""

    names: Sequence[str]
    # Without spaces.
    joined: Sequence[str]
    # FEATURES of each.
    features: NDArray[np.uint32]

    def where(self, some: NDArray[np.bool_]) -> "Spellings":
        at = np.flatnonzero(some).tolist()
        return Spellings(
            [self.names[one] for one in at], [self.joined[one] for one in at], self.features[some]
        )


# Numbers of the sound and the script, the length, the words, whether the first may be short for another.
_SOUND_NUMBER, SCRIPT_NUMBER, _LENGTH, _COUNT, _SHORT = FEATURES = range(5)


def spellings(held: Sequence[str]) -> Spellings:
    table = np.array([features(name) for name in held], np.uint32).reshape(len(held), len(FEATURES))
    return Spellings(held, [*map(names.joined, held)], table)


def features(name: str) -> tuple[int, ...]:
    short = len(names.short_for(names.first(name))) > 1
    return sound_number(name), script_number(name), len(names.joined(name)), name.count(" ") + 1, short


def sound_number(name: str) -> int:
    return crc32(names.sound(name).encode())


def script_number(name: str) -> int:
    # Unicode has no name for some letters; they are no missing name.
    return crc32(names.script(name).encode()) or 1 if name else 0


def words(one: str, others: Spellings) -> Levels:
    """Nothing when one is missing, or when they are in two scripts and cannot be compared."""
    word, joined = names.joined(one), others.joined
    edits = cdist([word], joined, scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)[0]
    like = cdist([word], joined, scorer=JaroWinkler.similarity, score_cutoff=0.9, dtype=np.float32)[0]
    lengths = np.maximum(others.features[:, _LENGTH], len(word))
    levels = np.full(len(joined), DIFFERS, np.uint8)
    # The better levels last: each takes what is its own from those before.
    levels[like > 0] = _SIMILAR
    levels[(edits == 2) & (lengths > 3)] = _TWO_EDITS
    if sound := sound_number(one):
        levels[others.features[:, _SOUND_NUMBER] == sound] = _SOUND
    levels[(edits == 1) & (lengths > 2)] = _ONE_EDIT
    levels[edits == 0] = EXACT
    levels[others.features[:, SCRIPT_NUMBER] != script_number(one)] = 0
    return levels if word else np.zeros_like(levels)


def given_names(one: str, others: Spellings, levels: Levels) -> Levels:
    """Given names by their first one, from how the whole compares: middle names are often left out."""
    spaced = np.flatnonzero((levels > EXACT) & ((" " in one) | (others.features[:, _COUNT] > 1)))
    levels = _single_kin(one, others, levels)
    if not len(spaced):
        return levels
    parts = [others.names[at].split() for at in spaced.tolist()]
    firsts = spellings([*{words[0]: None for words in parts}])
    kin = _single_kin(names.first(one), firsts, words(names.first(one), firsts))
    first = dict(zip(firsts.names, kin.tolist(), strict=True))
    ones = one.split()
    levels[spaced] = [_of_words(ones, theirs, first[theirs[0]]) for theirs in parts]
    return levels


def family_names(one: str, others: Spellings, levels: Levels) -> Levels:
    """From how the whole compares."""
    levels, parts = levels.copy(), set(one.split())
    spaced = _WEAK[levels] & ((" " in one) | (others.features[:, _COUNT] > 1))
    for at in np.flatnonzero(spaced).tolist():
        if not parts.isdisjoint(others.names[at].split()):
            levels[at] = _WORD
    return levels


def birth_dates(one: int, others: Codes) -> NDArray[np.intp]:
    """The relation of each to one date, as the place in DATE_LEVELS; dates in the form of `date_code`."""
    years, days = _year_relations(one >> 9)[others >> 9], _day_relations()[one & 511, others & 511]
    return np.asarray(years.astype(np.intp) * DAYS + days)


def date_code(born: Born) -> int:
    """A date as one number; a part that no calendar has is not known."""
    year, month, day = born
    known = (year if 0 < year < 10_000 else 0, month if 0 < month < 13 else 0, day if 0 < day < 32 else 0)
    return known[0] << 9 | known[1] << 5 | known[2]


def whole(code: int) -> bool:
    return bool(code >> 9 and code & 0b1111_00000 and code & 31)


def known_parts(code: int) -> int:
    """The bits of the year, the month and the day that are known."""
    return sum(part for part in (~511, 0b1111_00000, 31) if code & part)


def near_dates(code: int) -> Codes:
    """The date itself, what may be known of it, and what it may be mistaken for by one slip; each once.

    Of a whole date, every relation but FAR is among them; of one that lacks a part, every date that agrees.
    """
    year, month, day = code & ~511, code & 0b1111_00000, code & 31
    years = np.flatnonzero(_slips(code >> 9, 4)) << 9 | month | day
    days = np.flatnonzero(_near_days(code & 511)) | year
    partly = {code, year | month, year | day, month | day, year, month, day}
    near = np.concatenate([years, days, sorted(partly - {0, *days.tolist()}), _agreeing(year, month, day)])
    return np.unique(near).astype(np.int32)


def _agreeing(year: int, month: int, day: int) -> NDArray[np.int64]:
    """The dates in which the parts that are known stand; a month or a day alone tells too little to look."""
    missing = [part == 0 for part in (year, month, day)]
    match missing:
        case [False, True, True]:
            return year | np.arange(512)
        case [False, False, True]:
            return year | month | np.arange(32)
        case [False, True, False]:
            return year | day | np.arange(16) << 5
        case [True, False, False]:
            return np.arange(10_000) << 9 | month | day
    return np.empty(0, np.int64)


def _single_kin(one: str, others: Spellings, levels: Levels) -> Levels:
    """The same, but with nicknames and initials, for names of one word."""
    levels, shorts = levels.copy(), names.short_for(one)
    unsure = _WEAK[levels]
    # Asking each costs ten times what all the rest does: few are short for anything.
    if len(shorts) == 1 and len(one) > 1:
        unsure &= (others.features[:, _SHORT] > 0) | (others.features[:, _LENGTH] == 1)
    for at in np.flatnonzero(unsure).tolist():
        other = others.names[at]
        if not shorts.isdisjoint(names.short_for(other)):
            levels[at] = _NICKNAME
        elif one[0] == other[0] and 1 in (len(one), len(other)):
            levels[at] = _INITIAL
    return levels


def _of_words(ones: list[str], others: list[str], first: int) -> int:
    if first == EXACT and min(len(ones), len(others)) > 1 and not set(ones[1:]) & set(others[1:]):
        return _FIRST
    return _WORD if _WEAK[first] and set(ones) & set(others) else first


@cache
def _year_relations(year: int) -> NDArray[np.uint8]:
    relations = np.where(_slips(year, 4), 2, 3).astype(np.uint8)
    relations[year] = 1
    relations[0] = 0
    return relations if year else np.zeros_like(relations)


@cache
def _day_relations() -> NDArray[np.uint8]:
    """Of every day and month to every other."""
    codes = np.arange(512)
    (month, day), (months, days) = (codes[:, None] >> 5, codes[:, None] & 31), (codes >> 5, codes & 31)
    by_month, by_day = (month > 0) & (months > 0), (day > 0) & (days > 0)
    slip = np.array([[_slips(one, 2)[other] for other in range(32)] for one in range(32)])
    same_month, same_day = month == months, day == days
    return np.select(
        [
            ~by_month & ~by_day,
            ~by_day,
            ~by_month,
            same_month & same_day,
            (month == days) & (day == months),
            (same_month & slip[day, days]) | (same_day & slip[month, months]),
            same_month | same_day,
        ],
        [
            _UNKNOWN,
            np.where(same_month, MONTH, _OTHER_MONTH),
            np.where(same_day, DAY, _OTHER_DAY),
            BOTH,
            _TURNED_DAY,
            _SLIP_DAY,
            _ONE_PART,
        ],
        _NEITHER,
    ).astype(np.uint8)


def _near_days(code: int) -> NDArray[np.bool_]:
    relations = _day_relations()[code]
    return np.asarray((relations == BOTH) | (relations == _TURNED_DAY) | (relations == _SLIP_DAY))


@cache
def _slips(part: int, width: int) -> NDArray[np.bool_]:
    """By number, whether one digit is another or two neighbours are swapped."""
    numbers = np.arange({2: 32, 4: 10_000}[width])
    if not part:
        return np.zeros(len(numbers), bool)
    powers = 10 ** np.arange(width)
    ones, others = part // powers % 10, numbers[:, None] // powers % 10
    edits = (ones != others).sum(axis=1)
    swapped = [
        np.concatenate([ones[:at], ones[at : at + 2][::-1], ones[at + 2 :]]) @ powers
        for at in range(width - 1)
    ]
    return np.asarray(((edits == 1) | np.isin(numbers, swapped)) & (numbers > 0) & (numbers != part))
