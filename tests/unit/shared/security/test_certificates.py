import contextlib
import hashlib
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import PeerRefusedError
from shared.payloads.fields import NAME_PATTERN
from shared.security.certificates import IGNORE_CLOCK, der_of, key_hash, member_in
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.member_list import Role

AUTHORITY_KEY = make_key()
AUTHORITY = make_authority(AUTHORITY_KEY)
KEY = make_key()
CERTIFICATE = issue_certificate(AUTHORITY, AUTHORITY_KEY, Role.EDGE, "porch", public_key_of(KEY))


def issued(role: Role, name: str) -> bytes:
    return der_of(issue_certificate(AUTHORITY, AUTHORITY_KEY, role, name, public_key_of(KEY)))


def spki_hash(der: bytes) -> str:
    public = x509.load_der_x509_certificate(der).public_key()
    return hashlib.sha256(
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


@given(st.sampled_from(Role), st.from_regex(NAME_PATTERN, fullmatch=True))
def test_role_name_and_key_are_read_as_they_were_written(role, name):
    der = issued(role, name)
    member = member_in(der)
    assert (member.role, member.name, member.key_hash) == (role, name, spki_hash(der))
    assert key_hash(der) == member.key_hash


@given(st.binary(max_size=600))
def test_bytes_that_are_no_certificate_are_refused(data):
    with pytest.raises(PeerRefusedError):
        member_in(data)


@given(st.integers(0, 600), st.binary(min_size=1, max_size=4))
def test_a_damaged_certificate_is_refused_or_read(position, bytes_):
    der = issued(Role.EDGE, "porch")
    with contextlib.suppress(PeerRefusedError):
        member_in(der[:position] + bytes_ + der[position + len(bytes_) :])


@pytest.mark.parametrize("length", range(0, 700, 7))
def test_a_certificate_that_is_cut_off_is_refused(length):
    der = issued(Role.EDGE, "porch")
    if length < len(der):
        with pytest.raises(PeerRefusedError):
            member_in(der[:length])


def test_the_authority_itself_is_no_member():
    with pytest.raises(PeerRefusedError, match="names no member"):
        member_in(der_of(AUTHORITY))


def test_certificates_say_what_they_are_for():
    authority, member = x509.load_pem_x509_certificate(AUTHORITY), x509.load_pem_x509_certificate(CERTIFICATE)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).critical
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert not member.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not member.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    names = member.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["deepthings:edge/porch"]
    assert (member.not_valid_before_utc.year, member.not_valid_after_utc.year) == (2020, 2099)
    assert member.serial_number != authority.serial_number


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)])
def test_other_kinds_of_keys_get_no_certificate(key):
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(PeerRefusedError, match="P-256"):
        issue_certificate(AUTHORITY, AUTHORITY_KEY, Role.EDGE, "porch", public)


@pytest.mark.parametrize(
    "public",
    [
        b"",
        b"garbage",
        b"-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMBMwBwYFK4EEAGQDCAAAAAAAAAAA\n-----END PUBLIC KEY-----\n",
        b" " * 1000 + public_key_of(KEY) + b" " * 1000,
    ],
)
def test_what_is_no_public_key_gets_no_certificate(public):
    with pytest.raises(PeerRefusedError, match="cannot be read"):
        issue_certificate(AUTHORITY, AUTHORITY_KEY, Role.EDGE, "porch", public)


def handshake(tmp_path, flags: ssl.VerifyFlags, *, trusted: bytes = AUTHORITY) -> ssl.SSLObject:
    """Connect a client that verifies with these flags to a server with the certificate; return the client's end."""
    (tmp_path / "certificate").write_bytes(CERTIFICATE)
    (tmp_path / "key").write_bytes(KEY)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname = False
    client_context.verify_flags = flags
    client_context.load_verify_locations(cadata=der_of(trusted))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client):
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    return client


def test_the_strict_checks_of_python_3_13_accept_the_certificates(tmp_path):
    flags = ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
    client = handshake(tmp_path, flags | IGNORE_CLOCK)
    assert member_in(client.getpeercert(binary_form=True)).name == "porch"


def test_the_checks_of_python_3_13_accept_the_certificates_by_todays_clock(tmp_path):
    assert handshake(tmp_path, ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_TRUSTED_FIRST).getpeercert()


def test_a_certificate_of_another_authority_is_not_trusted(tmp_path):
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(tmp_path, ssl.VERIFY_X509_STRICT | IGNORE_CLOCK, trusted=make_authority(make_key()))
