"""What only this stack may know: passwords, the key that signs tokens, services' tokens, input keys."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.runtime.identity import Caller, issue

INPUT_KEY_BYTES = 64
# Issued anew at each start, so a stack would have to run for a year to outlive it.
SERVICE_TOKEN_LIFE = timedelta(days=365)


@dataclass(frozen=True)
class Keys:
    """Made when first asked for, each in a file that only its owner can read."""

    directory: Path

    def password(self, owner: str) -> str:
        return self._kept(f"{owner}.password", lambda: secrets.token_urlsafe(24).encode()).read_text()

    def input_key(self, service: str) -> Path:
        return self._kept(f"{service}.input.key", lambda: secrets.token_hex(INPUT_KEY_BYTES).encode())

    @property
    def signing_key(self) -> Path:
        return self._kept("token.key", _new_signing_key)

    @property
    def verifying_key(self) -> Path:
        return self._kept("token.pub", lambda: _public(self.signing_key.read_bytes()))

    def service_token(self, service: str) -> Path:
        """A file with the token by which this service calls others."""
        caller = Caller(service, f"service_{service}", "ppo", datetime.now(UTC) + SERVICE_TOKEN_LIFE)
        return self._write(f"{service}.token", issue(self.signing_key.read_bytes(), caller).encode())

    def token(self, caller: Caller) -> str:
        return issue(self.signing_key.read_bytes(), caller)

    def _kept(self, name: str, new: Callable[[], bytes]) -> Path:
        path = self.directory / name
        return path if path.exists() else self._write(name, new())

    def _write(self, name: str, content: bytes) -> Path:
        """Whole or not at all: half a key would stay for good."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self.directory / f"{name}.new"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
        return beside.replace(self.directory / name)


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(signing_key: bytes) -> bytes:
    return (
        serialization.load_pem_private_key(signing_key, password=None)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
