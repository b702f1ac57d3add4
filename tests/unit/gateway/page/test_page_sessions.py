"""Cookies and tokens of the page, in seconds that a test chooses."""

import base64
import json
import stat

import pytest

from gateway.broker.logins import UserLogin, hash_password
from gateway.page import page_sessions
from gateway.page.page_sessions import SESSION_LIFE_S, PageSessions
from shared.errors import ConfigurationError

ANNA = UserLogin(hash_password("a long word of mine"))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "page" / "sessions.json"


@pytest.fixture
def sessions(file):
    return PageSessions(file)


def test_a_cookie_says_who_it_is_for_until_its_end(sessions):
    cookie = sessions.begin("anna", ANNA, 1000.0)
    session = sessions.read(cookie, 1000.0)
    assert session.user == "anna"
    assert sessions.belongs_to(session, ANNA)
    assert sessions.read(cookie, 999.5 + SESSION_LIFE_S) == session
    assert sessions.read(cookie, 1000.0 + SESSION_LIFE_S) is None


def test_a_cookie_holds_over_a_restart_and_only_its_user_can_read_the_key(sessions, file):
    cookie = sessions.begin("anna", ANNA, 1000.0)
    assert PageSessions(file).read(cookie, 1000.0) is not None
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_cookie_from_the_future_is_refused_as_the_clock_was_wrong_then(sessions):
    assert sessions.read(sessions.begin("anna", ANNA, 9e9), 1000.0) is None


def test_a_new_password_ends_the_session(sessions):
    session = sessions.read(sessions.begin("anna", ANNA, 1000.0), 1000.0)
    assert not sessions.belongs_to(session, UserLogin(hash_password("a long word of mine")))


def test_another_key_makes_other_cookies(sessions, tmp_path):
    cookie = PageSessions(tmp_path / "other.json").begin("anna", ANNA, 1000.0)
    assert sessions.read(cookie, 1000.0) is None


def test_a_cookie_that_was_changed_is_refused(sessions):
    said, _, signature = sessions.begin("anna", ANNA, 1000.0).partition(".")
    fields = json.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
    other = base64.urlsafe_b64encode(json.dumps(["root", *fields[1:]]).encode()).rstrip(b"=").decode()
    assert sessions.read(f"{other}.{signature}", 1000.0) is None


@pytest.mark.parametrize("cookie", ["", ".", "x", "e30.", "e30.AAAA", "é.ü", "x" * 5000, "\ud800.\ud800"])
def test_what_is_no_cookie_is_refused(sessions, cookie):
    assert sessions.read(cookie, 1000.0) is None


def test_who_logs_out_is_out_also_after_a_restart(sessions, file):
    first, second = (sessions.begin("anna", ANNA, 1000.0) for _ in range(2))
    session = sessions.read(first, 1000.0)
    sessions.end(session, 1000.0)
    assert not sessions.is_open(session, 1000.0)
    assert PageSessions(file).read(first, 1000.0) is None
    assert PageSessions(file).read(second, 1000.0) is not None


def test_no_more_sessions_are_remembered_than_needed(sessions, file, monkeypatch):
    monkeypatch.setattr(page_sessions, "MAX_ENDED_SESSIONS", 3)
    for number in range(5):
        now = 1000.0 + number
        sessions.end(sessions.read(sessions.begin("anna", ANNA, now), now), now)
    assert len(json.loads(file.read_text())["ended"]) == 3
    late = 2000.0 + SESSION_LIFE_S
    sessions.end(sessions.read(sessions.begin("anna", ANNA, late), late), late)
    assert len(json.loads(file.read_text())["ended"]) == 1


def test_a_token_is_for_one_camera_and_one_password(sessions):
    token = sessions.picture_token("anna.b", ANNA, "door")
    assert token.startswith("anna.b.")
    assert sessions.is_picture_token(token, "anna.b", ANNA, "door")
    assert not sessions.is_picture_token(token, "anna.b", ANNA, "yard")
    assert not sessions.is_picture_token(token, "anna", ANNA, "door")
    assert not sessions.is_picture_token(token, "anna.b", UserLogin(hash_password("another word")), "door")
    assert sessions.read(token, 1000.0) is None


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"key": "00", "ended": {}}', '{"key": "zz", "ended": {}}', '{"key": 1, "ended": {}}']
)
def test_a_damaged_file_is_said_with_the_cure(file, content):
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="remove it"):
        PageSessions(file)
