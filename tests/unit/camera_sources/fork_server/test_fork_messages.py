from __future__ import annotations

import pytest

from camera_sources.fork_server.fork_messages import (
    MAX_FORK_MESSAGE_BYTES,
    AgentEnded,
    AgentNotStarted,
    AgentStarted,
    MessageBuffer,
    SignalAgent,
    StartAgent,
    decode_message,
    encode_message,
)
from shared.errors import ProtocolError

SECRETS = {"token": "t0ken", "settings": '{"source": "rtsp://a:w0rd@b"}\n'}
START = StartAgent(agent=7, arguments=("camera", "--name", "front"), **SECRETS)


@pytest.mark.parametrize(
    "message",
    [
        START,
        SignalAgent(agent=7, number=15),
        AgentStarted(agent=7, process=123),
        AgentNotStarted(agent=7, errno=12),
        AgentEnded(agent=7, code=-9),
    ],
    ids=lambda message: message.kind,
)
def test_a_message_is_one_line_and_comes_back_as_it_was(message):
    line = encode_message(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_message(line) == message


def test_what_may_be_logged_of_a_start_shows_no_secret():
    assert "w0rd" not in repr(START)
    assert "t0ken" not in f"{START} {START!r}"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"w0rd",
        b'{"kind": "start", "agent": 1, "settings": "w0rd"}',
        b'{"kind": "w0rd", "agent": 1}',
        b'{"kind": "ended", "agent": "w0rd", "code": 0}',
        b'["w0rd"]',
        b"\xff\xfe",
    ],
)
def test_anything_else_is_refused_without_being_shown(line):
    with pytest.raises(ProtocolError) as refused:
        decode_message(line)
    assert "w0rd" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_bytes_become_lines_however_they_are_cut():
    lines = [encode_message(SignalAgent(agent=number, number=9)) for number in range(3)]
    whole = b"".join(lines)
    for size in (1, 5, len(whole)):
        buffer = MessageBuffer()
        received = [line for start in range(0, len(whole), size) for line in buffer.add(whole[start : start + size])]
        assert [decode_message(line).agent for line in received] == [0, 1, 2]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory():
    buffer = MessageBuffer()
    buffer.add(bytes(MAX_FORK_MESSAGE_BYTES))
    with pytest.raises(ProtocolError, match="more than"):
        buffer.add(b"x")
