"""A token is believed while its signature holds and its time lasts, and not a moment longer."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from services.runtime.errors import Unauthenticated
from services.runtime.identity import Caller, Verifier, issue


def keys() -> tuple[bytes, bytes]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def caller(seconds: float = 60) -> Caller:
    expires = (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)
    return Caller("sergeant-7", "custody_officer", "birmingham-central", expires)


def test_a_token_says_who_calls() -> None:
    private, public = keys()
    officer = caller()

    assert Verifier(public).verify(issue(private, officer)) == officer


def test_a_token_of_another_key_is_refused() -> None:
    private, _ = keys()
    _, public = keys()

    with pytest.raises(Unauthenticated):
        Verifier(public).verify(issue(private, caller()))


def test_an_expired_token_is_refused() -> None:
    private, public = keys()

    with pytest.raises(Unauthenticated, match="expired"):
        Verifier(public).verify(issue(private, caller(seconds=-5)))


def test_a_token_that_was_verified_once_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    private, public = keys()
    verifier, officer = Verifier(public), caller()
    token = issue(private, officer)
    verifier.verify(token)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Later":
            return cls.fromtimestamp(officer.expires.timestamp() + 1, UTC)

    monkeypatch.setattr("services.runtime.identity.datetime", Later)
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(token)


def test_a_token_signed_with_nothing_is_refused() -> None:
    _, public = keys()
    claims = {"sub": "x", "role": "ops", "org": "y", "exp": 9_999_999_999}

    with pytest.raises(Unauthenticated):
        Verifier(public).verify(jwt.encode(claims, "", algorithm="none"))


@pytest.mark.parametrize("claim", ["sub", "role", "org", "exp"])
def test_a_token_without_a_claim_is_refused(claim: str) -> None:
    private, public = keys()
    claims = {"sub": "x", "role": "ops", "org": "y", "exp": 9_999_999_999}
    del claims[claim]

    with pytest.raises(Unauthenticated):
        Verifier(public).verify(jwt.encode(claims, private, algorithm="EdDSA"))
