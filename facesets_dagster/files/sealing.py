"""Keyed digests and sealed bytes: a value can be recognised with the key, and not be read without it.

The key is a file of 32 random bytes. The digest is HMAC-SHA256. Sealing is encrypt-then-MAC from the standard library:
a SHAKE-256 key stream over key and nonce, and HMAC-SHA256 over nonce and cipher text. Who has the key file and what was
sealed with it has the values.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from facesets_dagster.errors import SettingsError

_KEY_BYTES = 32
_NONCE_BYTES = 16
_TAG_BYTES = 32


class Seal:
    """What one key recognises and opens."""

    def __init__(self, key: bytes) -> None:
        self._digesting = hashlib.sha256(b"digest" + key).digest()
        self._sealing = hashlib.sha256(b"seal" + key).digest()
        self._signing = hashlib.sha256(b"sign" + key).digest()

    def digest(self, kind: str, *values: str) -> str:
        """Hex digest (64 digits) of values of a kind; the same for the same key only."""
        message = "\0".join((kind, *values)).encode("utf-8", "surrogateescape")
        return hmac.new(self._digesting, message, hashlib.sha256).hexdigest()

    def close(self, plain: bytes) -> bytes:
        """Sealed bytes; other ones at each call."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        hidden = self._crossed(plain, nonce)
        return nonce + hidden + self._tag(nonce + hidden)

    def open(self, closed: bytes) -> bytes | None:
        """What was sealed; None if another key sealed it or it was changed."""
        body, tag = closed[:-_TAG_BYTES], closed[-_TAG_BYTES:]
        if len(body) < _NONCE_BYTES or not hmac.compare_digest(tag, self._tag(body)):
            return None
        return self._crossed(body[_NONCE_BYTES:], body[:_NONCE_BYTES])

    def _crossed(self, data: bytes, nonce: bytes) -> bytes:
        stream = hashlib.shake_256(self._sealing + nonce).digest(len(data))
        return bytes(one ^ other for one, other in zip(data, stream, strict=True))

    def _tag(self, body: bytes) -> bytes:
        return hmac.new(self._signing, body, hashlib.sha256).digest()


def seal_of(path: Path) -> Seal | None:
    """The seal of a key file; None if there is none. Raises `SettingsError` for a file that holds no key."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(key) != _KEY_BYTES:
        raise SettingsError(
            f"{path} has {len(key)} bytes, expected a key of {_KEY_BYTES}. Without it, nothing tells what was "
            "forgotten. Restore it from a backup."
        )
    return Seal(key)


def made_seal(path: Path) -> Seal:
    """The seal of a key file that is made if it is absent, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(secrets.token_bytes(_KEY_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(temporary, path)  # of two that make it at once, one key stays
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    seal = seal_of(path)
    assert seal is not None
    return seal
