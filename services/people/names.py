"""Names made comparable: normal forms, sounds, nicknames."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

import jellyfish
from anyascii import anyascii
from nicknames import NickNamer

from ppo.person.v1 import person_pb2 as pb

# Joined in writing (O'Brien, OBrien); every other mark parts words (Smith-Jones, Smith Jones).
_APOSTROPHES = dict.fromkeys(map(ord, "'’‘‛`´ʹʻʼʽ＇"))
# Letters that Unicode does not take apart.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
# Of a vowel in Arabic and Hebrew, mostly this one; taken for silent, Ahmad would begin with an h.
_BEARERS = dict.fromkeys(map(ord, "اعאע"), "a")
# Typed into a name field when there is no name; taken as a name they would end in "not flagged".
_NO_NAMES = (
    *("unknown", "unidentified", "not known", "not given", "not stated", "no name", "refused to give"),
    *("refused", "declined", "anonymous", "tbc", "n a", "n k", "nk", "u k", "unk"),
    *("withheld", "not provided", "no details", "no comment"),
)
_TITLES = ("mr", "mrs", "ms", "miss", "mx", "dr")
# A name by themselves, or beside one (Kwok Man); beside one of the above they are none.
_DESCRIBED = ("male", "female", "person", "man", "woman", "name", "all", "details", "ic[0-9]", "[0-9x]+")
_NO_NAME, _BESIDE = "|".join(_NO_NAMES), "|".join((*_NO_NAMES, *_TITLES, *_DESCRIBED))
_NOBODY = re.compile(f"(?:(?:{_BESIDE}) )*(?:{_NO_NAME})(?: (?:{_BESIDE}))*")
# What stands for somebody not known, and may be a name all the same: it is looked for, and no more.
_STAND_INS = (
    "(?:unknown )?(?:white|black|asian|ic[0-9]) (?:male|female|man|woman)",
    "(?:male|female|person|detainee|prisoner|suspect) (?:[a-z0-9]|one|two|three)",
    *("a n other", "(?:john|jane) doe", "(?:joe|fred) bloggs"),
)
_SOMEBODY = re.compile("|".join(_STAND_INS))
# And a whole name of nothing else.
_NO_LETTERS = "0123456789 x"


class Wording(NamedTuple):
    """A name in normal form; an empty part is missing."""

    given: str
    family: str


_NOTHING = Wording("", "")


def wording(name: pb.Name) -> Wording:
    """Nothing where it tells too little to say who it is not."""
    return _NOTHING if _initials(name) or _stands_in(name) else written(name)


def written(name: pb.Name) -> Wording:
    """Initials alone too: some are filed under no more, or have a family name of one letter."""
    given, family = normal(name.given_name), normal(name.family_name)
    whole = f"{given} {family}".strip()
    if _NOBODY.fullmatch(whole) or not whole.strip(_NO_LETTERS):
        return _NOTHING
    given, family = _stated(given), _stated(family)
    return Wording(given, family) if family else Wording("", given)


# Names repeat: an index of many people asks again and again.
@lru_cache(1 << 14)
def normal(text: str) -> str:
    """Words of lower-case letters and digits, one space apart, accents off, in any script."""
    plain = text.translate(_APOSTROPHES).casefold()
    plain = unicodedata.normalize("NFKD", plain).casefold().translate(_LETTERS)
    kept = "".join(map(_written, plain.translate(_APOSTROPHES)))
    return " ".join(unicodedata.normalize("NFC", kept).split())


@lru_cache(1 << 14)
def latin(words: str) -> str:
    """A normal form as it may be written in Latin letters."""
    return words if words.isascii() else normal(anyascii(words.translate(_BEARERS)))


def first(words: str) -> str:
    return words.partition(" ")[0]


def joined(words: str) -> str:
    return words.replace(" ", "")


@lru_cache(65_536)
def sound(words: str) -> str:
    """The metaphone of a name in Latin letters; nothing for any other script."""
    return str(jellyfish.metaphone(joined(words))) if words.isascii() else ""


def script(words: str) -> str:
    if not words or words.isascii():
        return "LATIN"
    return unicodedata.name(words[0], "").partition(" ")[0]


@lru_cache(65_536)
def short_for(word: str) -> frozenset[str]:
    """The name itself and the names it may be short for."""
    return frozenset({word, *_nicknames().canonicals_of(word)})


@cache
def _nicknames() -> NickNamer:
    return NickNamer()


def initial(word: str) -> bool:
    """Whether it may stand for a name that it begins; where letters have no capitals one is a whole name."""
    return len(word) == 1 and word != word.upper()


def _initials(name: pb.Name) -> bool:
    """Whether it is nothing but initials; with an accent, as typed, a letter is rather a name."""
    typed = f"{name.given_name} {name.family_name}"
    return typed.isascii() and all(len(word) == 1 for word in _untitled(normal(typed)).split())


def _stands_in(name: pb.Name) -> bool:
    return _SOMEBODY.fullmatch(_untitled(normal(f"{name.given_name} {name.family_name}"))) is not None


@lru_cache(1 << 14)
def _stated(words: str) -> str:
    return "" if _NOBODY.fullmatch(words) else _untitled(words)


def _untitled(words: str) -> str:
    return " ".join(word for word in words.split() if word not in _TITLES)


@lru_cache(65_536)
def _written(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] in "LN":
        return character
    if category[0] == "M":
        return "" if _accent(character) else character
    return "" if category in ("Cf", "Co", "Cn") else " "


def _accent(mark: str) -> bool:
    # Accents and the optional vowel points of Hebrew and Arabic go. Marks that carry the word stay: vowel
    # signs of India (class 0), nukta, kana voicing and virama (7 to 9), Thai and Tibetan vowels (103 to 132).
    combining = unicodedata.combining(mark)
    return 10 <= combining <= 35 or combining >= 200
