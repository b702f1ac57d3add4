"""How often an address may try passwords."""

import pytest

from gateway.page import login_tries
from gateway.page.login_tries import REGAIN_S, TRIES_AT_ONCE, LoginTries

HOME = "192.168.1.20"


@pytest.fixture
def tries():
    return LoginTries()


def use_up(tries, address, now=0.0):
    for _ in range(TRIES_AT_ONCE):
        assert tries.wait_s(address, now) == 0
        tries.begin(address, now)


def test_after_some_wrong_passwords_an_address_waits_for_each(tries):
    use_up(tries, HOME)
    assert tries.wait_s(HOME, 0.0) == pytest.approx(REGAIN_S)
    assert tries.wait_s(HOME, REGAIN_S) == 0
    tries.begin(HOME, REGAIN_S)
    assert tries.wait_s(HOME, REGAIN_S) == pytest.approx(REGAIN_S)


def test_others_do_not_wait(tries):
    use_up(tries, HOME)
    assert tries.wait_s("192.168.1.21", 0.0) == 0


def test_a_right_password_costs_nothing_and_forgives_nothing(tries):
    for _ in range(3 * TRIES_AT_ONCE):
        tries.begin(HOME, 0.0)
        tries.take_back(HOME, 0.0)
    for _ in range(TRIES_AT_ONCE - 1):
        tries.begin(HOME, 0.0)
    tries.begin(HOME, 0.0)
    tries.take_back(HOME, 0.0)
    tries.begin(HOME, 0.0)
    assert tries.wait_s(HOME, 0.0) > 0


def test_a_household_with_ipv6_is_one_and_ipv4_in_ipv6_is_itself(tries):
    use_up(tries, "2001:db8::1")
    assert tries.wait_s("2001:db8::ffff:1", 0.0) > 0
    assert tries.wait_s("2001:db8:0:1::1", 0.0) == 0
    use_up(tries, "::ffff:10.0.0.1")
    assert tries.wait_s("10.0.0.1", 0.0) > 0
    assert tries.wait_s("::ffff:10.0.0.2", 0.0) == 0


def test_no_more_addresses_are_remembered_than_the_limit(tries, monkeypatch):
    monkeypatch.setattr(login_tries, "MAX_LIMITED_ADDRESSES", 3)
    use_up(tries, HOME)
    for number in range(5):
        tries.begin(f"10.0.0.{number}", 0.0)
    assert len(tries._forgiven_at) == 3
    assert tries.wait_s(HOME, 0.0) == 0
