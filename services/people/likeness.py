"""How two names or two dates of birth compare, as a level without a weight."""

from rapidfuzz.distance import OSA, JaroWinkler

from services.people import names

# Year, month, day; a part that is not known is zero.
Born = tuple[int, int, int]

_WEAK = ("differs", "two edits", "similar")


def given_name(one: str, other: str) -> str:
    """Given names by their first one: middle names are often left out."""
    level = _word(one, other)
    if level in ("", "exact"):
        return level
    ones, others = one.split(), other.split()
    if len(ones) > 1 or len(others) > 1:
        level = _word(ones[0], others[0])
    if level == "exact" and _other_middle_names(ones, others):
        return "first name"
    return _given_kin(ones, others, level) if level in _WEAK else level


def family_name(one: str, other: str) -> str:
    level = _word(one, other)
    return "shared word" if level in _WEAK and set(one.split()) & set(other.split()) else level


def birth_date(one: Born, other: Born) -> str:
    known = [(a, b) for a, b in zip(one, other, strict=True) if a and b]
    if not known:
        return ""
    if all(a == b for a, b in known):
        return "exact" if len(known) == 3 else "partial"
    if len(known) < 3:
        return "partly differs"
    if one == turned(other):
        return "day and month swapped"
    if OSA.distance(_digits(one), _digits(other), score_cutoff=1) == 1:
        return "one digit"
    return "two parts" if sum(a == b for a, b in known) == 2 else "differs"


def turned(born: Born) -> Born:
    year, month, day = born
    return year, day, month


def _word(one: str, other: str) -> str:
    """Nothing when one is missing, or when they are in two scripts and cannot be compared."""
    a, b = names.joined(one), names.joined(other)
    if not a or not b or names.script(a) != names.script(b):
        return ""
    if a == b:
        return "exact"
    edits, length = OSA.distance(a, b, score_cutoff=2), max(len(a), len(b))
    if edits == 1 and length > 2:
        return "one edit"
    if names.sound(a) and names.sound(a) == names.sound(b):
        return "sounds alike"
    if edits == 2 and length > 3:
        return "two edits"
    return "similar" if JaroWinkler.similarity(a, b, score_cutoff=0.9) else "differs"


def _given_kin(ones: list[str], others: list[str], level: str) -> str:
    one, other = ones[0], others[0]
    if names.short_for(one) & names.short_for(other):
        return "nickname"
    if min(len(one), len(other)) == 1 and one[0] == other[0]:
        return "initial"
    return "shared word" if set(ones) & set(others) else level


def _other_middle_names(ones: list[str], others: list[str]) -> bool:
    return min(len(ones), len(others)) > 1 and not set(ones[1:]) & set(others[1:])


def _digits(born: Born) -> str:
    return f"{born[0]:04d}{born[1]:02d}{born[2]:02d}"
