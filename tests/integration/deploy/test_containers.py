"""What the Dockerfile and the compose file say of the tree and of the services' settings is so."""

import importlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from services.runtime import settings

ROOT = Path(__file__).parents[3]
COMPOSE = ROOT / "deploy" / "compose.yaml"
SERVICES = ("flagging", "custody", "tracking", "returns")


def environment(service: str) -> dict[str, str]:
    """The service's settings in compose.yaml, with the defaults of what the operator may set."""
    lines = re.findall(rf"^ +(PPO_{service.upper()}_\w+): (.+)$", COMPOSE.read_text(), re.MULTILINE)
    return {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value) for name, value in lines}


def copied(service: str) -> list[str]:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text().replace("${SERVICE}", service)
    lines = re.findall(r"^COPY (?!--from)(.+)$", dockerfile, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_docker_compose_takes_the_file() -> None:
    subprocess.run(["docker-compose", "-f", COMPOSE, "config", "-q"], check=True, timeout=60)


@pytest.mark.parametrize("service", SERVICES)
def test_compose_gives_a_service_the_settings_it_needs_and_no_other(service: str) -> None:
    given = environment(service) | {
        f"PPO_{service.upper()}_TOPICS": str(ROOT / "deploy" / "kafka" / "topics.toml")
    }
    kind: Any = importlib.import_module(f"services.{service}.__main__").Settings

    loaded = settings.load(kind, f"PPO_{service.upper()}_", given)

    assert loaded.tls_certificate is not None


@pytest.mark.parametrize("service", SERVICES)
def test_prometheus_asks_a_service_where_its_metrics_are(service: str) -> None:
    port = environment(service)[f"PPO_{service.upper()}_METRICS"].rpartition(":")[2]

    assert f'"{service}:{port}"' in (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text()


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_is_made_of_what_is_there_and_not_ignored(service: str) -> None:
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)

    for source in copied(service):
        assert (ROOT / source).exists()
        assert any(source == one or source.startswith(one + "/") for one in let_in)


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_what_its_service_imports(service: str) -> None:
    code = [path.read_text() for path in (ROOT / "services" / service).rglob("*.py")]
    imported = set(re.findall(r"^ *(?:from|import) services\.(\w+)", "\n".join(code), re.MULTILINE))

    assert {f"services/{package}" for package in imported} <= set(copied(service))


def test_an_image_holds_no_other_service() -> None:
    assert "services/flagging" in copied("flagging")
    assert "services/custody" not in copied("flagging")
    assert "services" not in copied("flagging")


def test_roles_and_secrets_are_made_for_every_service() -> None:
    made = (ROOT / "deploy" / "container" / "keys.py").read_text()

    for service in SERVICES:
        assert f'"{service}"' in made
        assert f"{service}-secrets:/secrets/{service}\n" in COMPOSE.read_text()
        assert f"{service.upper()}_PASSWORD: ${{{service.upper()}_PASSWORD:-" in COMPOSE.read_text()
