"""The parts of an invitation's code: lower-case letters and digits, which can be typed. Pure."""

from __future__ import annotations

import base64
import secrets

CODE_PART_BYTES = 16
"""128 bits each for the authority's hash and for the secret: the secret cannot be guessed, nor can anybody make another
authority with the same hash."""

PART_PATTERN = r"[a-z2-7]{26}"


def new_secret() -> str:
    """Return a random secret of an invitation."""
    return _written(secrets.token_bytes(CODE_PART_BYTES))


def authority_in_code(authority_hash: str) -> str:
    """Return the part of a code that stands for an authority, from the SHA-256 of its certificate."""
    return _written(bytes.fromhex(authority_hash)[:CODE_PART_BYTES])


def _written(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
