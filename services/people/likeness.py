"""How a name or a date of birth compares with others, as levels without a weight."""

from collections.abc import Iterable
from functools import cache
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
EXACT, _FIRST, _ONE_EDIT, _NICKNAME, SOUND_ALIKE, _TWO_EDITS, _WORD, INITIAL, _SIMILAR, DIFFERS = range(1, 11)
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


# Below which the numbers of so many digits are.
_NUMBERS = {2: 32, 4: 10_000}

# What stands in no near date of a whole one, by relation: dates that are missing, or rather another.
FAR = np.isin(DATE_LEVELS, (0, _TWO_PARTS, PARTLY_DIFFERS, DATE_DIFFERS)).ravel()


# What is compared of a name: numbers of its sound, its script, its first letter and the whole of it without
# spaces; how long that is; of its words, of those after the first, and of what the first may be short for, a
# few bits that only those share who share one of them, or seem to; the code of the first word.
_SOUND, SCRIPT, _INITIAL_LETTER, _JOINED, _LENGTH, _WORDS, _LATER, _SHORT, _FIRST_WORD = FEATURES = range(9)


class Spellings:
    """Names by code, with what is compared of each."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.joined: list[str] = []
        self._codes: dict[str, int] = {}
        self._features: NDArray[np.uint32] = np.zeros((64, len(FEATURES)), np.uint32)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def features(self) -> NDArray[np.uint32]:
        return self._features[: len(self)]

    def known(self, name: str) -> int | None:
        return self._codes.get(name)

    def code(self, name: str) -> int:
        """Of a new name too, which is kept, as is its first word."""
        code = self._codes.get(name)
        return self._new(name) if code is None else code

    def _new(self, name: str) -> int:
        first = names.first(name)
        first_code = self.code(first) if first != name else len(self)
        code = self._codes[name] = len(self)
        if code == len(self._features):
            self._features = np.concatenate([self._features, np.zeros_like(self._features)])
        self._features[code] = *_features(name), first_code
        self.names.append(name)
        self.joined.append(names.joined(name))
        return code


def _features(name: str) -> tuple[int, ...]:
    joined, parts = names.joined(name), name.split()
    return (
        *(sound_number(name), script_number(name), ord(name[:1] or "\0"), crc32(joined.encode())),
        *(len(joined), _bits(parts), _bits(parts[1:]), _bits(names.short_for(names.first(name)))),
    )


def sound_number(name: str) -> int:
    return crc32(names.sound(name).encode())


def script_number(name: str) -> int:
    # Unicode has no name for some letters; they are no missing name.
    return crc32(names.script(name).encode()) or 1 if name else 0


def _bits(words: Iterable[str]) -> int:
    bits = 0
    for word in words:
        bits |= 1 << (crc32(word.encode()) & 31)
    return bits


def given_names(one: str, held: Spellings, codes: Codes) -> Levels:
    """Given names by their first one: middle names are often left out."""
    if not one:
        return np.zeros(len(codes), np.uint8)
    table, ones = held.features[codes], one.split()
    levels = _by_first(ones[0], held, table[:, _FIRST_WORD])
    for at in np.flatnonzero(_WEAK[levels] & _may_share(table[:, _WORDS], ones)).tolist():
        if not set(ones).isdisjoint(held.names[codes[at]].split()):
            levels[at] = _WORD
    if len(ones) > 1:
        several = (levels == EXACT) & (table[:, _LATER] > 0)
        share = _may_share(table[:, _LATER], ones[1:])
        levels[several & ~share] = _FIRST
        for at in np.flatnonzero(several & share).tolist():
            if set(ones[1:]).isdisjoint(held.names[codes[at]].split()[1:]):
                levels[at] = _FIRST
    whole = names.joined(one)
    for at in np.flatnonzero(table[:, _JOINED] == crc32(whole.encode())).tolist():
        if held.joined[codes[at]] == whole:
            levels[at] = EXACT
    levels[table[:, SCRIPT] != script_number(one)] = 0
    return levels


def family_names(one: str, held: Spellings, codes: Codes) -> Levels:
    levels, ones = words(one, held, codes), one.split()
    table = held.features[codes]
    for at in np.flatnonzero(_WEAK[levels] & _may_share(table[:, _WORDS], ones)).tolist():
        if not set(ones).isdisjoint(held.names[codes[at]].split()):
            levels[at] = _WORD
    return levels


def words(one: str, held: Spellings, codes: Codes) -> Levels:
    """Nothing when one is missing, or when they are in two scripts and cannot be compared."""
    word, joined, table = (
        names.joined(one),
        [held.joined[code] for code in codes.tolist()],
        held.features[codes],
    )
    edits = cdist([word], joined, scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)[0]
    like = cdist([word], joined, scorer=JaroWinkler.similarity, score_cutoff=0.9, dtype=np.float32)[0]
    lengths = np.maximum(table[:, _LENGTH], len(word))
    levels = np.full(len(joined), DIFFERS, np.uint8)
    # The better levels last: each takes what is its own from those before.
    levels[like > 0] = _SIMILAR
    levels[(edits == 2) & (lengths > 3)] = _TWO_EDITS
    if sound := sound_number(one):
        levels[table[:, _SOUND] == sound] = SOUND_ALIKE
    levels[(edits == 1) & (lengths > 2)] = _ONE_EDIT
    levels[edits == 0] = EXACT
    levels[table[:, SCRIPT] != script_number(one)] = 0
    return levels if word else np.zeros_like(levels)


def birth_dates(one: int, others: Codes) -> NDArray[np.uint8]:
    """The relation of each to one date, as the place in DATE_LEVELS; dates in the form of `date_code`."""
    years, days = _year_relations(one >> 9), _day_relations()[one & 511]
    return np.asarray(years.take(others >> 9) * DAYS + days.take(others & 511))


def date_code(born: Born) -> int:
    """A date as one number; a part that no calendar has is not known."""
    year, month, day = born
    known = (year if 0 < year < 10_000 else 0, month if 0 < month < 13 else 0, day if 0 < day < 32 else 0)
    return known[0] << 9 | known[1] << 5 | known[2]


def whole(code: int) -> bool:
    return bool(code >> 9 and code & 0b1111_00000 and code & 31)


def itself(code: int) -> int:
    """The relation of a date to itself."""
    return bool(code >> 9) * DAYS + int(_day_relations()[code & 511, code & 511])


def known_parts(code: int) -> int:
    """The bits of the year, the month and the day that are known."""
    return sum(part for part in (~511, 0b1111_00000, 31) if code & part)


def near_dates(code: int) -> Codes:
    """The date itself, what may be known of it, and what it may be mistaken for by one slip; each once.

    Of a whole date, every relation but FAR is among them; of one that lacks a part, every date that agrees.
    """
    year, month, day = code & ~511, code & 0b1111_00000, code & 31
    partly = [year | month, year | day, month | day, year, month, day]
    near = np.concatenate([_near_years(code >> 9) | month | day, _near_days(code & 511) | year, partly])
    if not whole(code):
        near = np.unique(np.concatenate([near, [code], _agreeing(year, month, day)]))
    return near[near > 0].astype(np.int32)


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


def _by_first(one: str, held: Spellings, firsts: NDArray[np.uint32]) -> Levels:
    """How the first words compare, each of them once."""
    of_word = np.zeros(len(held), np.uint8)
    of_word[firsts] = 1
    distinct = np.flatnonzero(of_word).astype(np.int32)
    of_word[distinct] = _kin(one, held, distinct)
    return of_word[firsts]


def _kin(one: str, held: Spellings, codes: Codes) -> Levels:
    """With nicknames and initials, for names of one word."""
    levels, table, shorts = words(one, held, codes), held.features[codes], names.short_for(one)
    weak = _WEAK[levels]
    initials = weak & (table[:, _INITIAL_LETTER] == ord(one[0])) & names.initial(one[0])
    levels[initials if len(one) == 1 else initials & (table[:, _LENGTH] == 1)] = INITIAL
    for at in np.flatnonzero(weak & _may_share(table[:, _SHORT], shorts)).tolist():
        if not shorts.isdisjoint(names.short_for(held.names[codes[at]])):
            levels[at] = _NICKNAME
    return levels


def _may_share(bits: NDArray[np.uint32], words: Iterable[str]) -> NDArray[np.bool_]:
    return np.asarray(bits & np.uint32(_bits(words)) != 0)


@cache
def _year_relations(year: int) -> NDArray[np.uint8]:
    relations = np.full(10_000, 3 if year else 0, np.uint8)
    relations[_slips(year, 4)] = 2
    relations[year] = bool(year)
    relations[0] = 0
    return relations


@cache
def _day_relations() -> NDArray[np.uint8]:
    """Of every day and month to every other."""
    codes = np.arange(512)
    (month, day), (months, days) = (codes[:, None] >> 5, codes[:, None] & 31), (codes >> 5, codes & 31)
    by_month, by_day = (month > 0) & (months > 0), (day > 0) & (days > 0)
    slip = np.array([[other in _slips(one, 2) for other in range(32)] for one in range(32)])
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


@cache
def _near_years(year: int) -> NDArray[np.intp]:
    return np.array(_slips(year, 4), np.intp) << 9


@cache
def _near_days(code: int) -> NDArray[np.intp]:
    return np.flatnonzero(np.isin(_day_relations()[code], (BOTH, _TURNED_DAY, _SLIP_DAY)))


def _slips(part: int, width: int) -> list[int]:
    """The years, or months and days, of which one digit is another or two neighbours are swapped."""
    if not part:
        return []
    digits = f"{part:0{width}}"
    others = {digits[:at] + digit + digits[at + 1 :] for at in range(width) for digit in "0123456789"}
    others |= {digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :] for at in range(width - 1)}
    return sorted({number for number in map(int, others) if 0 < number < _NUMBERS[width]} - {part})
