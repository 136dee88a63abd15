"""What was given of a person, kept so that only this service reads it: keyed digests and encryption."""

import hmac
import os
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12


class Seal:
    def __init__(self, digest_key: bytes, cipher_key: bytes) -> None:
        self._digest_key = digest_key
        self._cipher = AESGCM(cipher_key)

    @classmethod
    def load(cls, path: Path) -> "Seal":
        """Raises ValueError unless the file holds 64 bytes in hex: half digests, half encrypts."""
        try:
            key = bytes.fromhex(path.read_text())
        except (OSError, ValueError) as error:
            raise ValueError(f"the input key: {error}") from None
        if len(key) != 2 * KEY_BYTES:
            raise ValueError(f"the input key {path} holds {len(key)} bytes, not {2 * KEY_BYTES}")
        return cls(key[:KEY_BYTES], key[KEY_BYTES:])

    def digest(self, text: str) -> bytes:
        return hmac.digest(self._digest_key, text.encode(), sha256)

    def close(self, content: bytes, decision_id: str) -> bytes:
        """Encrypted, and bound to its decision: it opens under no other."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, decision_id.encode())

    def open(self, sealed: bytes, decision_id: str) -> bytes | None:
        """None for what was closed with another key, or for another decision."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], decision_id.encode())
        except InvalidTag:
            return None
