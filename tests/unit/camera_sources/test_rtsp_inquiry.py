from __future__ import annotations

import pytest

from camera_sources.rtsp_inquiry import Answer, is_whole, parse, reason_for

SDP = "v=0\r\nm=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H266/90000\r\n"
ANSWER = (
    f'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="a", nonce="b"\r\n'
    f'www-authenticate: Basic realm="a"\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}'
).encode()


def test_an_answer_is_read():
    answer = parse(ANSWER)
    assert (answer.status, answer.body) == (401, SDP)
    assert list(answer.challenges) == ['Digest realm="a", nonce="b"', 'Basic realm="a"']


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\xfe\x00", b"RTSP/1.0 OK"])
def test_what_is_no_answer_is_none(received):
    assert parse(received) is None


def test_an_answer_is_whole_with_its_last_byte_and_not_before():
    assert is_whole(ANSWER)
    assert not any(is_whole(ANSWER[:length]) for length in range(len(ANSWER)))
    assert is_whole(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "has_password", "reason"),
    [
        (None, True, "not reachable: it does not speak RTSP"),
        (Answer(401, [], ""), True, "wrong password"),
        (Answer(401, [], ""), False, "it wants a user and a password"),
        (Answer(403, [], ""), True, "wrong password"),
        (Answer(404, [], ""), True, "no such path (404)"),
        (Answer(503, [], ""), True, "it answers 503"),
        (Answer(200, [], SDP), True, "codec not decodable: the stream has no video"),
        (Answer(200, [], SDP + VIDEO), True, "codec not decodable: H266"),
        (Answer(200, [], "m=video 0 RTP/AVP 26\r\n"), True, "codec not decodable"),
    ],
)
def test_every_answer_has_its_reason(answer, has_password, reason):
    assert reason_for(answer, has_password=has_password) == reason
