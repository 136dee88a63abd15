"""Makes what containers of a local try may not share, and tokens for people.

    keys.py make                            certificates, keys and services' tokens, under /secrets
    keys.py ca                              prints the certificate of the authority
    keys.py token ROLE ORGANISATION [NAME]  prints a token for twelve hours

The authority and the key that signs tokens stay in /authority. Where people depend on the suite, all of this
comes from the operator's own key management.
"""

import os
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from services.runtime.identity import Caller, issue

AUTHORITY = Path("/authority")
SECRETS = Path("/secrets")
# The user of the images.
OWNER = 10001
# Each with what it has besides a certificate and the key that verifies tokens.
SERVICES = {"flagging": (), "custody": ("token", "input.key"), "tracking": ("token",), "returns": ()}
LIFE = timedelta(days=365)
TOKEN_LIFE = timedelta(hours=12)
INPUT_KEY_BYTES = 64

AUTHORITY_NAME = "ppo-local-try"

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def pem(key: PrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def kept(path: Path, new: Callable[[], bytes]) -> bytes:
    """What stands there from the last time: tokens and sealed inputs outlive a restart."""
    if not path.exists():
        write(path, new())
    return path.read_bytes()


def write(path: Path, content: bytes, owner: int = 0) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    os.chown(beside, owner, owner)
    beside.replace(path)


def certificate(name: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey) -> bytes:
    """For `name` within the network and for this machine; the authority's own where both keys are one."""
    authority, now = key is signer, datetime.now(UTC)
    names = [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(AUTHORITY_NAME))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFE * (10 if authority else 1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def authority() -> tuple[ec.EllipticCurvePrivateKey, bytes]:
    stored = kept(AUTHORITY / "ca.key", lambda: pem(ec.generate_private_key(ec.SECP256R1())))
    key = serialization.load_pem_private_key(stored, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key, kept(AUTHORITY / "ca.pem", lambda: certificate(AUTHORITY_NAME, key, key))


def signing_key() -> bytes:
    return kept(AUTHORITY / "token.key", lambda: pem(ed25519.Ed25519PrivateKey.generate()))


def verifying_key() -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    key = serialization.load_pem_private_key(signing_key(), password=None)
    return key.public_key().public_bytes(encoding, form)


def token(role: str, organisation: str, subject: str, life: timedelta) -> str:
    return issue(signing_key(), Caller(subject, role, organisation, datetime.now(UTC) + life))


def make() -> None:
    """A service's certificate and token are new each time, so that they never run out."""
    signer, ca = authority()
    for service, more in SERVICES.items():
        key = ec.generate_private_key(ec.SECP256R1())
        files = {
            "ca.pem": ca,
            "tls.pem": certificate(service, key, signer),
            "tls.key": pem(key),
            "token.pub": verifying_key(),
        }
        for name, content in (files | {name: own(service, name) for name in more}).items():
            write(SECRETS / service / name, content, OWNER)


def own(service: str, name: str) -> bytes:
    if name == "token":
        return token(f"service_{service}", "ppo", service, LIFE).encode()
    return kept(AUTHORITY / f"{service}.{name}", lambda: secrets.token_hex(INPUT_KEY_BYTES).encode())


def main(command: str, *arguments: str) -> None:
    match command, arguments:
        case "make", ():
            make()
        case "ca", ():
            sys.stdout.write(authority()[1].decode())
        case "token", (role, organisation, *subject):
            sys.stdout.write(token(role, organisation, " ".join(subject) or "local try", TOKEN_LIFE) + "\n")
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*(sys.argv[1:] or [""]))
