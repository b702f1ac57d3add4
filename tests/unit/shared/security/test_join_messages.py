import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.security.code_parts import authority_in_code, new_secret
from shared.security.join_messages import InvitationCode

AUTHORITY = authority_in_code(hashlib.sha256(b"authority").hexdigest())
HOSTS = st.sampled_from(["192.168.1.10", "gateway.local", "fe80::1"])


@given(st.binary(min_size=32, max_size=32), HOSTS, st.integers(1, 65535))
def test_a_code_is_read_as_it_was_printed(digest, host, port):
    code = InvitationCode(authority_in_code(digest.hex()), new_secret(), Address(host, port))
    assert InvitationCode.parse(str(code)) == code
    assert InvitationCode.parse(f"  {str(code).upper()}\n") == code


def test_two_secrets_differ_and_have_128_bits():
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {26}


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", f"dt1.{AUTHORITY}", f"dt1.{AUTHORITY}.{AUTHORITY}", f"dt1.{AUTHORITY}.{AUTHORITY[1:]}@pi:7885",
        f"dt1.{AUTHORITY}.{AUTHORITY}@pi pi:7885", "dt1." + "a" * 10_000, f"dt1.{AUTHORITY}.{AUTHORITY}1@pi:7885",
    ],
)  # fmt: skip
def test_an_incomplete_code_is_refused_with_the_way_to_a_new_one(text):
    with pytest.raises(ConfigurationError, match=r"the code is incomplete.*deepthings invite"):
        InvitationCode.parse(text)


@pytest.mark.parametrize("address", ["pi", "pi:0", "pi:99999", "pi:x"])
def test_an_invalid_address_is_refused(address):
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        InvitationCode.parse(f"dt1.{AUTHORITY}.{AUTHORITY}@{address}")


def test_a_code_of_another_release_is_refused_as_such():
    with pytest.raises(ConfigurationError, match="another release"):
        InvitationCode.parse("dt2.something@pi:7885")


@given(st.text(max_size=400))
def test_any_text_is_a_code_or_a_mistake(text):
    with contextlib.suppress(ConfigurationError):
        InvitationCode.parse(text)
