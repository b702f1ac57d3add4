from __future__ import annotations

import pytest

from camera_sources.rtsp.rtsp_answer import (
    RtspAnswer,
    codec_failure_reason,
    control_urls,
    failure_reason,
    is_complete_answer,
    parse_answer,
    without_media,
)

URL = "rtsp://192.168.1.20/stream"
SDP = "v=0\r\nm=audio 0 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=control:audio\r\n"
VIDEO = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 {codec}/90000\r\na=control:{control}\r\n"
ANSWER = (
    f'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm="a", nonce="b"\r\n'
    f'www-authenticate: Basic realm="a"\r\nContent-Length: {len(SDP)}\r\n\r\n{SDP}'
).encode()


def described(body, head=""):
    return RtspAnswer(200, "OK", f"RTSP/1.0 200 OK\r\n{head}", body)


def test_an_answer_is_read():
    answer, rest = parse_answer(ANSWER + b"RTSP/1.0")
    assert (answer.status, answer.phrase, answer.body, rest) == (401, "Unauthorized", SDP, b"RTSP/1.0")
    assert list(answer.challenges) == ['Digest realm="a", nonce="b"', 'Basic realm="a"']


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff\xfe\x00", b"RTSP/1.0 OK"])
def test_what_is_no_answer_is_none(received):
    assert parse_answer(received)[0] is None


def test_an_answer_is_whole_with_its_last_byte_and_not_before():
    assert is_complete_answer(ANSWER)
    assert not any(is_complete_answer(ANSWER[:length]) for length in range(len(ANSWER)))
    assert is_complete_answer(b"RTSP/1.0 404 Not Found\r\nCSeq: 1\r\n\r\n")


def test_packets_of_media_before_an_answer_are_passed_over():
    assert without_media(b"$\x00\x00\x03abc$\x01\x00\x00" + ANSWER) == ANSWER
    assert without_media(b"$\x00\x00\x09abc") == b"$\x00\x00\x09abc"


@pytest.mark.parametrize(
    ("control", "head", "video"),
    [
        ("track1", "", f"{URL}/track1"),
        ("track1", "Content-Base: rtsp://192.168.1.20/base/\r\n", "rtsp://192.168.1.20/base/track1"),
        ("rtsp://10.0.0.1/other", "", "rtsp://10.0.0.1/other"),
        ("/other", "", "rtsp://192.168.1.20/other"),
        ("*", "", URL),
    ],
)
def test_where_the_video_is_set_up(control, head, video):
    assert control_urls(described(SDP + VIDEO.format(codec="H264", control=control), head), URL)[0] == video


def test_a_stream_without_video_has_nothing_to_set_up():
    assert control_urls(described(SDP), URL) == (None, URL)


@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [
        ("DESCRIBE", 401, "wrong password"),
        ("DESCRIBE", 403, "this user has no permission to see it"),
        ("DESCRIBE", 404, "no such path (404)"),
        ("SETUP", 453, "not enough bandwidth: too many clients are connected to it (453)"),
        ("PLAY", 503, "it is overloaded, or still starting (503)"),
        ("PLAY", 456, "it answers PLAY with 456 In Words"),
    ],
)
def test_every_answer_has_its_reason(method, status, reason):
    assert failure_reason(method, RtspAnswer(status, "In Words", "", "")) == reason


@pytest.mark.parametrize(
    ("transport", "reason"), [("tcp", "write transport: udp"), ("udp", "write transport: tcp"), ("auto", "neither")]
)
def test_a_transport_that_is_not_supported_has_its_remedy(transport, reason):
    assert reason in failure_reason("SETUP", RtspAnswer(461, "", "", ""), transport)


def test_no_answer_has_its_reason():
    assert failure_reason("DESCRIBE", None) == "not reachable: it does not speak RTSP"
    assert failure_reason("PLAY", None) == "it does not answer PLAY"


@pytest.mark.parametrize(
    ("codec", "reason"),
    [("H266", "codec not decodable: H266"), ("H264", "its stream of H264 plays, but no picture of it can be decoded")],
)
def test_a_codec_is_named_only_if_it_is_to_blame(codec, reason):
    assert codec_failure_reason(described(SDP + VIDEO.format(codec=codec, control="*"))) == reason
