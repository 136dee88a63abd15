"""Who calls: signed tokens (EdDSA), verified by public key, and the caller of the present request."""

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jwt

from services.runtime.errors import Unauthenticated

ALGORITHM = "EdDSA"


@dataclass(frozen=True)
class Caller:
    """`role` is in snake case, as the contracts' roles without their prefix."""

    subject: str
    role: str
    organisation: str
    expires: datetime


_current: ContextVar[Caller] = ContextVar("caller")


def current() -> Caller:
    """The caller of the request being handled."""
    return _current.get()


def enter(caller: Caller) -> None:
    _current.set(caller)


def issue(private_key: bytes, caller: Caller) -> str:
    claims = {
        "sub": caller.subject,
        "role": caller.role,
        "org": caller.organisation,
        "iat": datetime.now(UTC),
        "exp": caller.expires,
    }
    return jwt.encode(claims, private_key, algorithm=ALGORITHM)


class Verifier:
    """Remembers a token until it expires: verifying one costs more than the rest of an empty call."""

    def __init__(self, public_key: bytes) -> None:
        self._key = public_key
        self._known: dict[str, Caller] = {}

    def verify(self, token: str) -> Caller:
        caller = self._known.get(token) or self._decode(token)
        if caller.expires <= datetime.now(UTC):
            self._known.pop(token, None)
            raise Unauthenticated("the token has expired")
        return caller

    def _decode(self, token: str) -> Caller:
        try:
            claims = jwt.decode(
                token, self._key, algorithms=[ALGORITHM], options={"require": ["exp", "sub", "role", "org"]}
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired") from None
        except jwt.InvalidTokenError:
            raise Unauthenticated("the token is not valid") from None
        expires = datetime.fromtimestamp(claims["exp"], UTC)
        caller = Caller(str(claims["sub"]), str(claims["role"]), str(claims["org"]), expires)
        # Bounded: a flood of distinct tokens costs their verification, not our memory.
        if len(self._known) >= 10_000:
            self._known.clear()
        self._known[token] = caller
        return caller


class TokenFile:
    """A service's own token, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = -1.0
        self._token = ""

    def token(self) -> str:
        changed = self._path.stat().st_mtime
        if changed != self._read_at:
            self._token = self._path.read_text().strip()
            self._read_at = changed
        return self._token
