"""The parts of an invitation's code, pure: letters and digits of one case, which can also be typed."""

from __future__ import annotations

import base64
import secrets

CODE_PART_BYTES = 16
"""128 bits each for the authority's hash and for the secret: nobody guesses one, or makes an authority for a hash."""

PART_PATTERN = r"[a-z2-7]{26}"


def new_secret() -> str:
    """Return a random secret of an invitation."""
    return _written(secrets.token_bytes(CODE_PART_BYTES))


def authority_in_code(authority_hash: str) -> str:
    """Return the part of a code that stands for an authority, from the SHA-256 of its certificate."""
    return _written(bytes.fromhex(authority_hash)[:CODE_PART_BYTES])


def _written(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
