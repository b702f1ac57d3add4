"""Makes keys and certificates: those of a cluster's authority and of its members."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.errors import PeerRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.security.member_list import Role

VALID_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
VALID_UNTIL = datetime.datetime(2099, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
"""Certificates are not renewed: a Raspberry Pi has no clock, and may be switched on again after a year."""

MAX_PUBLIC_KEY_BYTES = 1000
"""Bytes of a received public key in PEM that are read; a key on the curve P-256 has 178."""

_CURVE = ec.SECP256R1
_AUTHORITY_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DeepThings cluster")])


def make_key() -> bytes:
    """Return a new private key on the curve P-256, in PEM."""
    return ec.generate_private_key(_CURVE()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_key_of(key: bytes) -> bytes:
    """Return the public key of a private key, both in PEM. Raises ValueError."""
    return (
        _private(key)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def make_authority(key: bytes) -> bytes:
    """Return the certificate of a new authority with this private key, all in PEM."""
    private = _private(key)
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    builder = _builder(_AUTHORITY_NAME, private.public_key(), identifier)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=True), critical=True)
    return _signed(builder, private)


def issue_certificate(authority: bytes, authority_key: bytes, role: Role, name: str, public_key: bytes) -> bytes:
    """Return the certificate of a member for its public key, all in PEM. Raises PeerRefusedError for other keys."""
    issuer = x509.load_pem_x509_certificate(authority)
    subject = x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role.value),
    ])  # fmt: skip
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = _builder(subject, _public(public_key), identifier)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    address = x509.UniformResourceIdentifier(f"deepthings:{role.value}/{name}")
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return _signed(builder, _private(authority_key))


def public_key_hash(public_key: bytes) -> str:
    """Return the SHA-256 of a public key in PEM, as in the list of members. Raises PeerRefusedError for other keys."""
    information = _public(public_key).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(information).hexdigest()


def is_key_of(certificate: bytes, key: bytes) -> bool:
    """Return whether the private key belongs to the certificate, both in PEM. Raises ValueError."""
    held = x509.load_pem_x509_certificate(certificate).public_key()
    return bool(held == _private(key).public_key())


def is_issued_by(certificate: bytes, authority: bytes) -> bool:
    """Return whether the authority has signed the certificate, both in PEM. Raises ValueError."""
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def issue_server_certificate(authority: bytes, authority_key: bytes, hosts: Iterable[str], public_key: bytes) -> bytes:
    """Return a certificate for the names and addresses of a host, all in PEM, for programs that are not members.

    The certificate has no role, so members do not accept it as that of a member.
    """
    issuer = x509.load_pem_x509_certificate(authority)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "DeepThings broker")])
    builder = _builder(subject, _public(public_key), identifier)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(
        x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False
    )
    return _signed(builder, _private(authority_key))


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, issuer: x509.SubjectKeyIdentifier
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(
        issuer_name=_AUTHORITY_NAME, subject_name=subject, public_key=public_key,
        serial_number=x509.random_serial_number(), not_valid_before=VALID_FROM, not_valid_after=VALID_UNTIL,
    )  # fmt: skip
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)


def _signed(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> bytes:
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    """Return the permitted use of a key: an authority signs certificates, a member signs handshakes."""
    return x509.KeyUsage(
        digital_signature=not signs_certificates, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (TypeError, UnsupportedAlgorithm) as error:  # it is encrypted, or of another kind
        raise ValueError("it cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("it is not a key on an elliptic curve")  # noqa: TRY004  (the file is wrong, not the program)
    return key


def _public(pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key. Raises PeerRefusedError for anything but one on the curve P-256."""
    try:
        key = serialization.load_pem_public_key(pem[:MAX_PUBLIC_KEY_BYTES])
    except (ValueError, UnsupportedAlgorithm) as error:
        raise PeerRefusedError("the public key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVE):
        raise PeerRefusedError("the public key is not one on the curve P-256")
    return key
