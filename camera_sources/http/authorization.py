"""HTTP logins: Basic (RFC 7617) and Digest (RFC 7616: MD5, SHA-256, qop auth). Pure."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PARAMETER = re.compile(r'([A-Za-z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')

DIGEST_HASHES: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),  # most cameras know no other
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
}


class Authorization:
    """Answers the login challenges of one server with a user and password.

    Repeat a request only once after a challenge: many cameras lock the user out after a few wrong passwords.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._challenge: dict[str, str] | None = None
        self._used = 0

    def accept_challenge(self, challenges: Iterable[str]) -> bool:
        """Store the strongest answerable challenge among WWW-Authenticate values; return whether there is one."""
        known = [challenge for challenge in map(_parse, challenges) if _can_be_answered(challenge)]
        if not known or not (self._user or self._password):
            return False
        self._challenge, self._used = max(known, key=_strength), 0
        return True

    @property
    def algorithm(self) -> str:
        """Return BASIC, or the hash of a digest; empty before a challenge."""
        if self._challenge is None:
            return ""
        return "BASIC" if self._challenge["scheme"] == "basic" else self._challenge.get("algorithm", "MD5").upper()

    def header_for(self, method: str, target: str) -> str | None:
        """Return the Authorization value for a request; None before a challenge."""
        challenge = self._challenge
        if challenge is None:
            return None
        if challenge["scheme"] == "basic":
            return "Basic " + base64.b64encode(f"{self._user}:{self._password}".encode()).decode()
        self._used += 1
        return _digest(challenge, self._user, self._password, method, target, self._used, secrets.token_hex(8))


def _digest(
    challenge: dict[str, str], user: str, password: str, method: str, target: str, count: int, own_nonce: str
) -> str:
    """Return the answer to a digest challenge (RFC 7616, section 3.4)."""
    algorithm = challenge.get("algorithm", "MD5")
    digest = DIGEST_HASHES[algorithm.upper()]
    realm, nonce = challenge.get("realm", ""), challenge["nonce"]
    secret, request = digest(f"{user}:{realm}:{password}".encode()), digest(f"{method}:{target}".encode())
    parameters = {"username": user, "realm": realm, "nonce": nonce, "uri": target}
    plain = {"algorithm": algorithm} if "algorithm" in challenge else {}
    if "qop" in challenge:
        plain |= {"qop": "auth", "nc": f"{count:08x}"}
        parameters["cnonce"] = own_nonce
        parameters["response"] = digest(f"{secret}:{nonce}:{count:08x}:{own_nonce}:auth:{request}".encode())
    else:
        parameters["response"] = digest(f"{secret}:{nonce}:{request}".encode())
    if "opaque" in challenge:
        parameters["opaque"] = challenge["opaque"]
    quoted = [f'{name}="{_escape(value)}"' for name, value in parameters.items()]
    return "Digest " + ", ".join([*quoted, *(f"{name}={value}" for name, value in plain.items())])


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _parse(challenge: str) -> dict[str, str]:
    """Return the parameters of a challenge by name, and its scheme, in lower case, as "scheme"."""
    scheme, _, rest = challenge.strip().partition(" ")
    parameters = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(rest)
    }
    return {**parameters, "scheme": scheme.lower()}


def _strength(challenge: dict[str, str]) -> tuple[bool, str]:
    return challenge["scheme"] == "digest", challenge.get("algorithm", "").upper()


def _can_be_answered(challenge: dict[str, str]) -> bool:
    if challenge["scheme"] == "basic":
        return True
    methods = [method.strip() for method in challenge.get("qop", "auth").lower().split(",")]
    return (
        challenge["scheme"] == "digest"
        and "nonce" in challenge
        and challenge.get("algorithm", "MD5").upper() in DIGEST_HASHES
        and "auth" in methods
    )
