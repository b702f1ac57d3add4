"""The code of an invitation, and the messages between a device that joins and its gateway: lines of JSON over TLS."""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.payloads.base import Message
from shared.payloads.fields import Name, Port
from shared.security.member_list import Role
from shared.security.node_identity import TOKEN_PATTERN

CODE_VERSION = "dt1"

CODE_PART_BYTES = 16
"""128 bits each for the authority's hash and for the secret: nobody guesses one, or makes an authority for the other.
In letters and digits of one case, 26 of them, they can also be typed."""

MAX_CODE_LENGTH = 300

MAX_JOIN_LINE_BYTES = 16 * 1024
"""Of a message. A request has below 1 KB, an answer below 2 KB."""

_PART = r"[a-z2-7]{26}"
_CODE = re.compile(rf"{CODE_VERSION}\.({_PART})\.({_PART})@(\S+)")

Pem = Annotated[str, Field(max_length=4000)]


class AuthorityRequest(Message):
    """The first message of a device, which trusts nobody yet."""

    want: Literal["authority"] = "authority"


class AuthorityAnswer(Message):
    """The certificate of the cluster's authority; the code has its hash."""

    authority: Pem


class JoinRequest(Message):
    """The message of a device that has verified the gateway. `host` is its own name, in case that it was given none."""

    want: Literal["member"] = "member"
    secret: Annotated[str, Field(pattern=rf"^{_PART}$")]
    public_key: Pem
    name: Name | None = None
    host: Name


class JoinAnswer(Message):
    """What the device is from now on. `port` is that of the gateway's broker, `topic_prefix` that of its topics."""

    role: Role
    name: Name
    certificate: Pem
    token: Annotated[str, Field(pattern=TOKEN_PATTERN)]
    port: Port
    topic_prefix: Annotated[str, Field(max_length=1000)]


class JoinRefusal(Message):
    """The reason why a device does not get what it asks for, and what to do."""

    refused: Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class InvitationCode:
    """What a device needs to join: whom to trust, what to show, where to go."""

    authority: str
    secret: str
    address: Address

    @classmethod
    def parse(cls, text: str) -> InvitationCode:
        """Read a code as it was printed, or typed. Raises ConfigurationError."""
        match = _CODE.fullmatch(text.strip().lower()) if len(text) <= MAX_CODE_LENGTH else None
        if match is None:
            version = re.match(r"dt(\d+)\.", text.strip().lower())
            if version is not None and version[1] != CODE_VERSION[2:]:
                raise ConfigurationError(
                    "the code was printed by another release of deepthings; install the same one on both devices"
                )
            raise ConfigurationError(
                f"the code is incomplete: it begins with {CODE_VERSION}. and ends with an address, as in "
                f"{CODE_VERSION}.….…@192.168.1.10:7885; copy it again from 'deepthings invite', or make a new one there"
            )
        return cls(match[1], match[2], Address.parse(match[3]))

    def __str__(self) -> str:
        return f"{CODE_VERSION}.{self.authority}.{self.secret}@{self.address}"


def new_secret() -> str:
    """Return a random secret of an invitation."""
    return _written(secrets.token_bytes(CODE_PART_BYTES))


def authority_in_code(authority_hash: str) -> str:
    """Return the part of a code that stands for an authority, from the SHA-256 of its certificate."""
    return _written(bytes.fromhex(authority_hash)[:CODE_PART_BYTES])


def _written(data: bytes) -> str:
    return base64.b32encode(data).decode("ascii").rstrip("=").lower()
