"""A name that was asked about stays compared, whoever comes or goes."""

from collections.abc import Sequence

from services.people import likeness
from services.people.likeness import Codes, Levels, Spellings
from services.people.vocabulary import Vocabulary


class Spied:
    """A vocabulary of family names, and what was compared in it."""

    def __init__(self, names: Sequence[str]) -> None:
        self.vocabulary = Vocabulary(self._compare)
        self.compared: list[str] = []
        for name in names:
            self.hold(name)

    def hold(self, name: str) -> None:
        self.vocabulary.count(self.vocabulary.code(name), 1)

    def near(self, name: str) -> dict[str, str]:
        near = self.vocabulary.near(name)
        said = zip(near.codes.tolist(), near.levels.tolist(), strict=True)
        return {self._spellings.names[code]: likeness.NAMES[level] for code, level in said}

    def _compare(self, one: str, held: Spellings, codes: Codes) -> Levels:
        self._spellings = held
        self.compared += [held.names[code] for code in codes.tolist()]
        return likeness.family_names(one, held, codes)


def test_a_name_asked_again_is_compared_with_none_but_those_that_came_since() -> None:
    spied = Spied(["smith", "smyth", "jones"])
    before = spied.near("smith")
    spied.compared.clear()

    spied.hold("smithe")
    spied.hold("smyth")

    assert spied.near("smith") == {**before, "smithe": "one edit"}
    assert spied.compared == ["smithe"]


def test_a_name_comes_near_to_the_same_ones_whether_they_came_before_it_was_asked_or_after() -> None:
    names = ["smith", "smyth", "smithson", "smit", "jones", "smith jones", "schmidt"]
    asked_before, asked_after = Spied(names[:2]), Spied(names)

    asked_before.near("smith")
    for name in names[2:]:
        asked_before.hold(name)

    assert asked_before.near("smith") == asked_after.near("smith")
