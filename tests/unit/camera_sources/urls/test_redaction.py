from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camera_sources.urls.redaction import UrlSecrets, redacted

UNSEEN = "Zq7xy"

passwords = st.text("@:%/?#&=+ .*\\'\"[]2eé", max_size=12).flatmap(
    lambda odd: st.integers(0, len(odd)).map(lambda place: odd[:place] + UNSEEN + odd[place:])
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://camera/1", "rtsp://camera/1"),
        ("rtsp://camera:8554/cam/realmonitor", "rtsp://camera:8554/cam/realmonitor"),
        ("rtsp://me:secret@camera/1", "rtsp://***@camera/1"),
        ("rtsp://me:p@ss@camera/1", "rtsp://***@camera/1"),
        ("rtsp://me:p:ss@camera:554/1", "rtsp://***@camera:554/1"),
        ("rtsp://me:p%40ss@camera/1", "rtsp://***@camera/1"),
        ("rtsp://me:100%@camera/1", "rtsp://***@camera/1"),
        ("rtsp://me:p/ss@camera/1", "rtsp://***@camera/1"),
        ("rtsp://me:p?ss@camera/1", "rtsp://***@camera"),
        ("rtsp://me:p#ss@camera/1", "rtsp://***@camera"),
        ("rtsp://:secret@camera/1", "rtsp://***@camera/1"),
        ("rtsp://token@camera/1", "rtsp://***@camera/1"),
        ("http://[fe80::1]:80/a.jpg", "http://[fe80::1]:80/a.jpg"),
        ("http://me:secret@[fe80::1]/a.jpg", "http://***@[fe80::1]/a.jpg"),
        ("http://camera/a.jpg?user=me&pwd=secret", "http://camera/a.jpg?user=***&pwd=***"),
        ("http://camera/a.jpg?token=abc;x=1#y=2", "http://camera/a.jpg?token=***;x=***#y=***"),
        ("http://camera/a.jpg?secret", "http://camera/a.jpg?***"),
        ("http://camera/a.jpg?who=me@home&pw=secret", "http://***@home"),
        ("rtsps://camera:7441/AbCdEf0123456789?enableSrtp", "rtsps://camera:7441/***?***"),
        ("rtsp://camera/h264Preview_01_main", "rtsp://camera/h264Preview_01_main"),
        ("rtsp://camera/user=me&password=pw&channel=1", "rtsp://camera/***"),
        ("rtsp://camera/user=me_password=pw_channel=1_stream=0.sdp?real", "rtsp://camera/***?***"),
        ("rtsp://camera:554/me:pw/ch1", "rtsp://camera:554/***/ch1"),
        ("rtsp://camera/cam/channel=1", "rtsp://camera/cam/channel=1"),
        ("rtsp://me:12/secret@10.0.0.1/a", "rtsp://***@10.0.0.1/a"),
        ("/dev/video0", "/dev/video0"),
        ("/home/me@work/clip.mp4", "/home/me@work/clip.mp4"),
        ("me:secret@camera/1", "***@camera/1"),
        ("", ""),
    ],
)
def test_a_url_is_shown_without_what_is_secret(url, shown):
    assert redacted(url) == shown


@given(passwords, st.sampled_from(["rtsp://me:{}@camera/1", "http://:{}@10.0.0.1:80/a?b=c", "me:{}@camera"]))
def test_no_password_shows_whatever_is_in_it(password, url):
    assert UNSEEN not in redacted(url.format(password))


@given(passwords)
def test_no_password_shows_in_what_somebody_else_says(password):
    url = f"rtsp://me:{password}@camera/1"
    secrets = UrlSecrets(url)
    for said in (f"cannot open {url}", f"login me with {password} failed", f"bad '{password}'"):
        assert UNSEEN not in secrets.redact(said)


@pytest.mark.parametrize(
    ("url", "said", "shown"),
    [
        ("rtsp://me:p%40ss@camera/1", "user me, password p@ss", "user me, password ***"),
        ("rtsp://me:p@ss@camera/1", "password p%40ss", "password ***"),
        ("http://camera/a?token=abcd", "no a for abcd", "no a for ***"),
        ("http://camera/a?channel=1", "no picture for 10 s", "no picture for 10 s"),
        ("rtsp://camera/AbCdEf0123456789", "no AbCdEf0123456789 here", "no *** here"),
        ("rtsp://camera/user=me&password=pw12&channel=1", "no login with pw12", "no login with ***"),
        ("rtsp://camera/user=me_password=pw12_stream=0.sdp", "no login with pw12", "no login with ***"),
        ("rtsp://camera/me:pw12/ch1", "no login with pw12", "no login with ***"),
        ("rtsp://me::@camera/1", "not reachable: refused", "not reachable: refused"),
        ("rtsp://me:no@camera/1", "no picture", "no picture"),
        ("rtsp://camera/1", "camera/1 is away", "camera/1 is away"),
        ("/videos/clip.mp4", "/videos/clip.mp4 is away", "/videos/clip.mp4 is away"),
    ],
)
def test_secrets_are_hidden_however_they_are_written_and_nothing_else(url, said, shown):
    assert UrlSecrets(url).redact(said) == shown
