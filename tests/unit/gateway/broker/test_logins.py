from __future__ import annotations

import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.broker import logins
from gateway.broker.logins import (
    LoginFile,
    check_user_name,
    format_passwords,
    hash_password,
    is_password,
    parse_logins,
)
from shared.errors import ConfigurationError

MADE_BY_MOSQUITTO = (
    "$7$101$zZh9plzkrRqylUWH$pL0+Ce2HCy6WP2RDcGFFcyksWHADrXi7HVLosUNctJmvwl2EM/aRMkDRAR0m8hdS1aTgAyNSnaM/ymz/iSVXQw=="
)
"""By mosquitto_passwd, for "correct horse"."""


@pytest.fixture
def file(tmp_path):
    return LoginFile(tmp_path / "keys" / "users")


@settings(max_examples=20)
@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_hash_is_that_of_one_password(password, other):
    hashed = hash_password(password)
    assert is_password(password, hashed)
    assert is_password(other, hashed) is (other == password)
    assert hash_password(password) != hashed  # another salt


def test_a_hash_of_mosquittos_own_tool_is_understood():
    assert is_password("correct horse", MADE_BY_MOSQUITTO)
    assert not is_password("correct house", MADE_BY_MOSQUITTO)


def test_what_is_not_a_hash_belongs_to_no_password():
    for text in ("", "$6$salt$hash", "$7$0$", "$7$101$AAAA$AAAA", "plain"):
        assert not is_password("plain", text)


def test_a_password_file_is_read_as_it_was_written():
    made = {"homeassistant": hash_password("one"), "node.red": hash_password("two")}
    read = parse_logins(format_passwords(made))
    assert {name: login.hashed for name, login in read.items()} == made


def test_lines_that_are_no_logins_are_left_out():
    assert parse_logins("# a comment\n\nname\nname:\n:hash\nname:plain\n") == {}


def test_a_generated_password_is_told_once_and_kept_as_its_hash(file, tmp_path):
    password = file.add("homeassistant")
    assert len(password) == 32
    assert is_password(password, file.read()["homeassistant"].hashed)
    kept = tmp_path / "keys" / "users"
    assert password not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_new_password_replaces_the_old_one(file):
    first = file.add("homeassistant")
    second = file.add("homeassistant", "a long word of mine")
    assert second == "a long word of mine"
    assert not is_password(first, file.read()["homeassistant"].hashed)
    assert is_password(second, file.read()["homeassistant"].hashed)


def test_a_login_is_removed_once(file):
    file.add("homeassistant")
    file.add("nodered")
    assert file.remove("homeassistant")
    assert not file.remove("homeassistant")
    assert list(file.read()) == ["nodered"]


def test_there_is_a_most_of_logins_but_a_password_can_still_be_changed(file, monkeypatch):
    monkeypatch.setattr(logins, "MAX_USERS", 2)
    for name in ("one", "two", "two"):
        file.add(name)
    with pytest.raises(ConfigurationError, match="remove one first"):
        file.add("three")


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "a/b", "#", "a+", ".a", "x" * 64, "a\nb", "~check", "edge.attic", "gateway"]
)
def test_a_name_that_is_another_ones_or_breaks_a_file_is_refused(file, name):
    with pytest.raises(ConfigurationError):
        file.add(name)
    assert file.read() == {}


def test_usual_names_are_valid():
    for name in ("homeassistant", "Node-RED", "anna.smith", "kitchen_panel", "edge", "gateway2"):
        assert check_user_name(name) == name


@pytest.mark.parametrize("password", ["2short", "x" * 257, "with\nline break", "with\0nul and more"])
def test_a_password_that_is_weak_or_cannot_be_typed_is_refused_and_not_repeated(file, password):
    with pytest.raises(ConfigurationError) as caught:
        file.add("homeassistant", password)
    assert password not in str(caught.value)


def test_a_file_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path):
    (tmp_path / "users").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        LoginFile(tmp_path / "users").read()
