from __future__ import annotations

import re

import pytest

from camera_sources.http.authorization import Authorization, _digest, _parse

RFC_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_are_answered_as_it_says(algorithm, response):
    answer = _digest(
        _parse(RFC_7616.format(algorithm)), "Mufasa", "Circle of Life", "GET", "/dir/index.html", 1,
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )  # fmt: skip
    assert f'response="{response}"' in answer
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in answer
    assert "nc=00000001" in answer
    assert "qop=auth" in answer


def test_a_challenge_of_old_without_qop_is_answered_as_rfc_2069_says():
    challenge = _parse('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"')
    answer = _digest(challenge, "Mufasa", "CircleOfLife", "GET", "/dir/index.html", 1, "")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in answer  # as corrected by the erratum
    assert "qop" not in answer


def test_basic_is_answered():
    authorization = Authorization("Aladdin", "open sesame")
    assert authorization.header_for("GET", "/") is None
    assert authorization.accept_challenge(['Basic realm="a"'])
    assert authorization.header_for("GET", "/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_of_several_challenges_the_strongest_is_answered():
    authorization = Authorization("me", "secret")
    assert authorization.accept_challenge(['Basic realm="a"', RFC_7616.format("MD5"), RFC_7616.format("SHA-256")])
    assert "algorithm=SHA-256" in authorization.header_for("GET", "/")


def test_every_answer_counts_on_and_has_a_nonce_of_its_own():
    authorization = Authorization("me", "secret")
    authorization.accept_challenge([RFC_7616.format("MD5")])
    first, second = (authorization.header_for("GET", "/") for _ in range(2))
    assert "nc=00000001" in first
    assert "nc=00000002" in second
    assert re.search('cnonce="([^"]+)', first)[1] != re.search('cnonce="([^"]+)', second)[1]


@pytest.mark.parametrize(
    "challenge", ["", "Negotiate", "Digest", 'Digest nonce="a", algorithm=SHA-1', 'Digest nonce="a", qop="auth-int"']
)
def test_what_cannot_be_answered_is_not(challenge):
    assert not Authorization("me", "secret").accept_challenge([challenge])


def test_who_has_no_password_answers_nothing():
    assert not Authorization("", "").accept_challenge(['Basic realm="a"'])


def test_quotes_in_a_name_do_not_break_out_of_the_header():
    authorization = Authorization('m"e', "secret")
    authorization.accept_challenge([RFC_7616.format("MD5")])
    assert r'username="m\"e"' in authorization.header_for("GET", "/")
