"""Settings are read once; what is unknown, missing or impossible stops the start and is named."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from services.runtime.settings import Address, Settings, SettingsError, load


@dataclass(frozen=True, kw_only=True)
class Example(Settings):
    peer: Path | None = None


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    topics = tmp_path / "topics.toml"
    topics.write_text(
        '[[topic]]\nname = "a"\npartitions = 3\ncleanup = "compact"\n"delete.retention.ms" = 2000\n'
    )
    return {
        "PPO_EXAMPLE_LISTEN": "127.0.0.1:50051",
        "PPO_EXAMPLE_METRICS": "127.0.0.1:9101",
        "PPO_EXAMPLE_POSTGRES": "postgresql://flagging@127.0.0.1/ppo",
        "PPO_EXAMPLE_REDIS": "redis://127.0.0.1",
        "PPO_EXAMPLE_KAFKA": "127.0.0.1:9092",
        "PPO_EXAMPLE_TOPICS": str(topics),
        "PPO_EXAMPLE_TOKEN_KEY": "key.pem",
        "PPO_EXAMPLE_REFERENCE": "reference",
        "PPO_OTHER_ANYTHING": "another service's",
    }


def test_settings_are_typed(environ: dict[str, str]) -> None:
    settings = load(Example, "PPO_EXAMPLE_", environ)

    assert settings.listen == Address("127.0.0.1", 50051)
    assert settings.topics["a"].partitions == 3
    assert settings.topics["a"].retention_seconds == 2.0
    assert settings.peer is None
    assert settings.kafka_mock is False


@pytest.mark.parametrize("name", ["LISTEN", "POSTGRES", "TOPICS", "TOKEN_KEY"])
def test_a_missing_setting_is_named(environ: dict[str, str], name: str) -> None:
    del environ[f"PPO_EXAMPLE_{name}"]

    with pytest.raises(SettingsError, match=f"PPO_EXAMPLE_{name} is not set"):
        load(Example, "PPO_EXAMPLE_", environ)


def test_an_unknown_setting_is_named(environ: dict[str, str]) -> None:
    environ["PPO_EXAMPLE_LISTN"] = "127.0.0.1:1"

    with pytest.raises(SettingsError, match="PPO_EXAMPLE_LISTN is not a setting"):
        load(Example, "PPO_EXAMPLE_", environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [("LISTEN", "50051"), ("METRICS", "127.0.0.1:http"), ("KAFKA_MOCK", "yes"), ("TOPICS", "/no/such/file")],
)
def test_an_impossible_value_is_named(environ: dict[str, str], name: str, value: str) -> None:
    environ[f"PPO_EXAMPLE_{name}"] = value

    with pytest.raises(SettingsError, match=f"PPO_EXAMPLE_{name}"):
        load(Example, "PPO_EXAMPLE_", environ)


def test_a_topic_without_its_partition_count_is_named(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "topics.toml").write_text('[[topic]]\nname = "a"\ncleanup = "delete"\n')

    with pytest.raises(SettingsError, match="topic a has no partitions"):
        load(Example, "PPO_EXAMPLE_", environ)


def test_beyond_loopback_nothing_starts_without_tls(environ: dict[str, str]) -> None:
    environ["PPO_EXAMPLE_LISTEN"] = "0.0.0.0:50051"

    with pytest.raises(SettingsError, match="tls_certificate and tls_key must be set"):
        load(Example, "PPO_EXAMPLE_", environ)


def test_a_certificate_without_its_key_is_refused(environ: dict[str, str]) -> None:
    environ["PPO_EXAMPLE_TLS_CERTIFICATE"] = "certificate.pem"

    with pytest.raises(SettingsError, match="go together"):
        load(Example, "PPO_EXAMPLE_", environ)
