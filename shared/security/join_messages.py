"""The code of an invitation, and the messages between a device that joins and its gateway: lines of JSON over TLS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.network.ports import DATA_PORT
from shared.payloads.base import Message
from shared.payloads.fields import Name, Port
from shared.security.code_parts import PART_PATTERN
from shared.security.member_list import Role
from shared.security.node_identity import TOKEN_PATTERN

CODE_VERSION = "dt1"

MAX_CODE_LENGTH = 300
"""Longer texts are no codes, and are not searched."""

MAX_JOIN_LINE_BYTES = 16 * 1024
"""The largest size of a message. Requests have less than 1 KB, answers less than 2 KB."""

_CODE = re.compile(rf"{CODE_VERSION}\.({PART_PATTERN})\.({PART_PATTERN})@(\S+)")

Pem = Annotated[str, Field(max_length=4000)]


class AuthorityRequest(Message):
    """The first message of a device, which does not yet trust any authority."""

    want: Literal["authority"] = "authority"


class AuthorityAnswer(Message):
    """The certificate of the cluster's authority, whose hash is in the code."""

    authority: Pem


class JoinRequest(Message):
    """The request of a device that has verified the gateway. `host` is the device's host name, for want of a `name`."""

    want: Literal["member"] = "member"
    secret: Annotated[str, Field(pattern=rf"^{PART_PATTERN}$")]
    public_key: Pem
    name: Name | None = None
    host: Name


class JoinAnswer(Message):
    """The role and name of the new member, and its certificate and token.

    `port` and `topic_prefix` are those of the gateway's broker, `data_port` is the port of its data plane.
    """

    role: Role
    name: Name
    certificate: Pem
    token: Annotated[str, Field(pattern=TOKEN_PATTERN)]
    port: Port
    topic_prefix: Annotated[str, Field(max_length=1000)]
    data_port: Port = DATA_PORT


class JoinRefusal(Message):
    """The reason why a request is refused, and what to do."""

    refused: Annotated[str, Field(max_length=1000)]


@dataclass(frozen=True, slots=True)
class InvitationCode:
    """All that a device needs to join: the authority to trust, the secret to show, the address to go to."""

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
