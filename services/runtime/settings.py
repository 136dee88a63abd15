"""Typed settings, read once from the environment; whatever is unknown or missing stops the start."""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from services.runtime.broker import Topics

T = typing.TypeVar("T", bound="Settings")


class SettingsError(Exception):
    """One line that names the setting and what is wrong with it."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        return self.host in ("127.0.0.1", "localhost", "::1", "[::1]")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What every service needs; a service adds its own fields in a subclass."""

    listen: Address
    metrics: Address
    postgres: str
    redis: str
    kafka: str
    # The mock broker takes neither configuration nor a new client's first question.
    kafka_mock: bool = False
    topics: Topics
    token_key: Path
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    clock: Path | None = None
    reference: Path
    # Tells replicas of a service apart in their consumer groups.
    instance: str = "0"

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together")
        if self.tls_certificate is None and not self.listen.loopback:
            raise ValueError(
                f"listen: {self.listen} is not loopback, so tls_certificate and tls_key must be set"
            )


def load(cls: type[T], prefix: str, environ: Mapping[str, str]) -> T:
    """Fill `cls` from the variables that begin with `prefix`. Raises SettingsError."""
    hints = typing.get_type_hints(cls)
    names = {prefix + field.name.upper(): field for field in fields(cls)}
    unknown = sorted(name for name in environ if name.startswith(prefix) and name not in names)
    if unknown:
        raise SettingsError(f"{unknown[0]} is not a setting; known are {', '.join(sorted(names))}")
    values: dict[str, typing.Any] = {}
    for name, field in names.items():
        if name in environ:
            values[field.name] = _cast(name, environ[name], hints[field.name])
        elif field.default is MISSING:
            raise SettingsError(f"{name} is not set")
    try:
        return cls(**values)
    except ValueError as error:
        raise SettingsError(f"{prefix}*: {error}") from None


def _cast(name: str, text: str, hint: object) -> object:
    if isinstance(hint, types.UnionType):
        hint = next(arm for arm in hint.__args__ if arm is not types.NoneType)
    try:
        return _CASTS[typing.cast(type, hint)](text)
    except (ValueError, OSError) as error:
        raise SettingsError(f"{name}: {error}") from None


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise ValueError(f"{text!r} is not host:port")
    return Address(host, int(port))


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is not true or false")
    return text == "true"


def _path(text: str) -> Path:
    # A directory that a service writes to need not be there yet; a file is opened where it is read.
    if not text:
        raise ValueError("is empty")
    return Path(text)


_CASTS: dict[type, Callable[[str], object]] = {
    str: str,
    int: int,
    float: float,
    bool: _flag,
    Path: _path,
    Address: _address,
    Topics: lambda text: Topics.load(Path(text)),
}
