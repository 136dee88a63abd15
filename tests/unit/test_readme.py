"""What the README names is there: commands, settings, targets, files; and nothing of the kind is left out."""

import importlib
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from deploy.embedded.services import SERVICES
from tests.unit.test_requirements import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md", "docs/requirements.md"]


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def _command(group: str, name: str) -> str:
    """Of that group, or a command beside it in the same row."""
    within = f"ppo {group} {name}"
    return f"ppo {name}" if within not in COMMANDS and f"ppo {name}" in COMMANDS else within


def test_every_command_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| `ppo [^|]+\|[^|]*\|$", section("Commands"), re.MULTILINE)
    told = set()
    for row in rows:
        group, *below = re.findall(r"`([a-z-]+)`", row.replace("`ppo ", "`"))
        told |= {f"ppo {group}"} | {_command(group, name) for name in below}

    assert told == COMMANDS - {"ppo"}


def test_every_setting_of_a_service_is_in_the_table_and_no_other() -> None:
    told = set(re.findall(r"`([A-Z_]+)(?:=true)?`", section("Settings").split("Each service reads")[1]))
    settings: set[str] = set()
    for service in SERVICES:
        kind: Any = importlib.import_module(f"services.{service.name}.__main__").Settings
        settings |= {field.name.upper() for field in fields(kind)}

    assert told - {f"PPO_{service.name.upper()}_" for service in SERVICES} == settings


def test_every_variable_of_the_command_is_one_that_it_reads() -> None:
    told = set(re.findall(r"`(PPO_[A-Z_]+)`", section("Settings").split("Each service reads")[0]))
    code = [path.read_text() for part in ("services/console", "deploy/embedded") for path in source(part)]
    read = set(re.findall(r"\bPPO_[A-Z]+\b", "\n".join(code)))
    read |= {f"PPO_{service.name.upper()}_TARGET" for service in SERVICES}

    assert told <= read


def source(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text())

    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_target_that_is_named_can_be_made(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = set(re.findall(r"(?:^|`)make ([a-z-]+)", (ROOT / page).read_text(), re.MULTILINE))

    assert told <= targets


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "deploy/README.md"])
def test_every_path_that_is_named_is_there(page: str) -> None:
    told = re.findall(r"`([a-z_]+(?:/[a-z_.]*)+)`", (ROOT / page).read_text())

    assert [
        path for path in told if not any((base / path).exists() for base in (ROOT, ROOT / "deploy"))
    ] == []
