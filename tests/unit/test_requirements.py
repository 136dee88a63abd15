"""docs/requirements.md names every requirement once, and nothing that does not exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from services.console.commands import app
from tests.unit.test_contracts import METHODS

ROOT = Path(__file__).parents[2]
NOT_YET = "not yet"
# How many things the programme's documents ask for.
REQUIREMENTS = 73

ROWS = re.findall(
    r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", (ROOT / "docs" / "requirements.md").read_text(), re.MULTILINE
)
RPCS = {f"{method.containing_service.name}.{method.name}" for method in METHODS}
TESTS = {
    name
    for path in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
}


def commands(command: Any, name: str) -> set[str]:
    below: dict[str, Any] = getattr(command, "commands", {})
    return {name}.union(*(commands(one, f"{name} {word}") for word, one in below.items()))


COMMANDS = commands(typer.main.get_command(app), "ppo")


def exists(name: str) -> bool:
    return name in RPCS or name in COMMANDS or ("/" in name and (ROOT / name).exists())


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


rows = pytest.mark.parametrize(
    ("asked", "answered", "tests"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)


def test_every_requirement_has_one_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, REQUIREMENTS + 1))


@rows
def test_a_requirement_is_quoted_with_its_source(asked: str, answered: str, tests: str) -> None:
    assert re.search(r"“[^”]+” \[S[1-4]\]", asked)


@rows
def test_what_answers_a_requirement_exists(asked: str, answered: str, tests: str) -> None:
    assert names(answered) or answered == NOT_YET
    assert [name for name in names(answered) if not exists(name)] == []


@rows
def test_the_tests_of_a_requirement_exist(asked: str, answered: str, tests: str) -> None:
    assert names(tests) or tests == NOT_YET
    assert [name for name in names(tests) if name not in TESTS] == []
    assert answered != NOT_YET or tests == NOT_YET
