"""Reads the role, name and key in a certificate, without a library for certificates.

An edge reads a certificate at every handshake, and such a library would take 11 MB of its memory. The TLS library has
already parsed and verified the certificate, so this module only finds three values in it, and verifies nothing.
"""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from shared.errors import PeerRefusedError
from shared.security.member_list import Member, Role

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME_OID = bytes.fromhex("550403")
"""commonName: the member's name."""

ROLE_OID = bytes.fromhex("55040b")
"""organizationalUnitName: the member's role."""

IGNORE_CLOCK = ssl.VerifyFlags(0x200000)
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME. A Raspberry Pi has no clock, and may start in 1970. Instead of expiring, members
are removed from the list of members."""

_SEQUENCE, _OBJECT_ID, _VERSION = 0x30, 0x06, 0xA0
"""Tags of DER: a sequence, an object identifier, and the version field of a certificate."""

_SHORT_LENGTH_END, _MAX_LENGTH_BYTES = 0x80, 3
"""A length byte below 0x80 is the length itself. A larger one is 0x80 plus the number of bytes that hold the length.

More than three of these are refused: no certificate is so long.
"""


class _Element(NamedTuple):
    """An element of DER: `content` without its head, `whole` with it."""

    tag: int
    content: bytes
    whole: bytes


def der_of(pem: bytes) -> bytes:
    """Return the first certificate of a PEM file in DER. Raises ValueError."""
    return ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))


def certificate_hash(pem: bytes) -> str:
    """Return the SHA-256 of a certificate in PEM, in hexadecimal digits. Raises ValueError."""
    return hashlib.sha256(der_of(pem)).hexdigest()


def key_hash(certificate: bytes) -> str:
    """Return the SHA-256 of the public key of a certificate in DER. Raises PeerRefusedError."""
    return _key_hash(_fields(certificate))


def member_in(certificate: bytes) -> Member:
    """Return the role, name and key of the holder of a certificate in DER.

    Raises PeerRefusedError when it is not a certificate of a DeepThings cluster.
    """
    fields = _fields(certificate)
    subject = dict(_attributes(fields[4]))
    try:
        name, role = subject[NAME_OID].decode("utf-8"), Role(subject[ROLE_OID].decode("utf-8"))
        return Member(role=role, name=name, key_hash=_key_hash(fields))
    except (KeyError, ValueError, ValidationError) as error:
        raise PeerRefusedError("the certificate names no member of a DeepThings cluster") from error


def _key_hash(fields: list[_Element]) -> str:
    return hashlib.sha256(fields[5].whole).hexdigest()


def _fields(certificate: bytes) -> list[_Element]:
    """Return the fields of the signed part: serial, algorithm, issuer, validity, subject, public key, and others."""
    try:
        (outer,) = _elements(certificate)
        signed = next(_elements(outer.content))
        fields = [element for element in _elements(signed.content) if element.tag != _VERSION]
    except (ValueError, StopIteration) as error:
        raise PeerRefusedError("the certificate cannot be read") from error
    if len(fields) < 6 or any(field.tag != _SEQUENCE for field in fields[1:6]):
        raise PeerRefusedError("the certificate cannot be read")
    return fields


def _attributes(subject: _Element) -> Iterator[tuple[bytes, bytes]]:
    """Yield the object id and the value of each attribute of a subject; parts that are not attributes are skipped."""
    try:
        for group in _elements(subject.content):
            for attribute in _elements(group.content):
                parts = list(_elements(attribute.content))
                if len(parts) == 2 and parts[0].tag == _OBJECT_ID:
                    yield parts[0].content, parts[1].content
    except ValueError as error:
        raise PeerRefusedError("the certificate cannot be read") from error


def _elements(data: bytes) -> Iterator[_Element]:
    """Yield the elements of DER, one after the other. Raises ValueError."""
    position = 0
    while position < len(data):
        start = position
        head = data[position : position + 2]
        if len(head) < 2:
            raise ValueError("an element is cut off")
        tag, length = head
        position += 2
        if length >= _SHORT_LENGTH_END:
            count = length - _SHORT_LENGTH_END
            if not 1 <= count <= _MAX_LENGTH_BYTES:
                raise ValueError("an element has no length, or is too long")
            length = int.from_bytes(data[position : position + count], "big")
            position += count
        end = position + length
        if end > len(data):
            raise ValueError("an element is cut off")
        yield _Element(tag, data[position:end], data[start:end])
        position = end
