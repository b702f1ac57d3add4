from __future__ import annotations

import pytest

from benchmarks.cluster.shaping import ETHERNET_FRAME_BYTES, Link, shape_medium, shape_port, shape_sender, shape_switch
from shared.errors import ConfigurationError

PORTS = {"port1": "10.0.0.1", "port2": "10.0.0.2", "port3": "10.0.0.3"}


def words_after(word, commands):
    return [
        command.split()[place + 1]
        for command in commands
        for place, is_word in enumerate(command.split())
        if is_word == word
    ]


def test_a_fast_link_has_bursts_of_2_ms_and_buffers_of_100_ms():
    link = Link(100, shared=False)
    assert link.rate_bytes == 12.5e6
    assert link.burst_bytes == 25_000
    assert link.buffer_bytes() == 1_250_000
    assert link.buffer_bytes(5) == 250_000


def test_a_slow_link_still_lets_whole_frames_through():
    link = Link(0.5, shared=False)
    assert link.burst_bytes == 2 * ETHERNET_FRAME_BYTES
    assert link.buffer_bytes(6) == 32 * ETHERNET_FRAME_BYTES


@pytest.mark.parametrize("rate", [0, -1, 0.01, 1e6, float("nan")])
def test_rates_that_cannot_be_are_refused(rate):
    with pytest.raises(ConfigurationError, match="Mbit/s cannot be emulated"):
        Link(rate, shared=True)


def test_a_sender_has_the_rate_of_the_link():
    assert shape_sender("eth0", Link(2.5, shared=True)) == [
        "qdisc replace dev eth0 root tbf rate 2500000bit burst 3028 limit 48448"
    ]


def test_on_a_shared_medium_all_frames_pass_one_shaper_where_senders_take_turns():
    commands = shape_medium("medium", PORTS, Link(20, shared=True))
    redirected = [command for command in commands if "redirect dev medium" in command]
    assert words_after("dev", redirected) == ["port1", "medium", "port2", "medium", "port3", "medium"]
    assert words_after("src", commands) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert sum("htb default" in command for command in commands) == 1
    classes = [command for command in commands if command.startswith("class")]
    assert words_after("rate", classes) == ["20000000bit", *["5000000bit"] * 4]
    assert words_after("ceil", classes) == ["20000000bit"] * 4


def test_at_a_switch_every_port_has_a_shaper_for_what_the_others_send():
    commands = shape_switch(PORTS, Link(20, shared=False))
    assert words_after("dev", [command for command in commands if "htb default" in command]) == [*PORTS]
    to_port2 = [command for command in commands if "dev port2" in command]
    assert words_after("src", to_port2) == ["10.0.0.1", "10.0.0.3"]
    assert not any("redirect" in command for command in commands)


def test_every_queue_belongs_to_a_class_and_what_is_not_ip_has_one():
    commands = shape_medium("medium", {f"port{n}": f"10.0.0.{n}" for n in range(1, 251)}, Link(20, shared=True))
    classes = words_after("classid", commands)[1:]
    queues = words_after("parent", [command for command in commands if "bfifo" in command])
    assert queues == classes
    assert len(set(classes)) == 251
    assert [f"1:{name}" for name in words_after("default", commands)] == classes[-1:]
    assert words_after("flowid", commands) == classes[:-1]


def test_one_port_can_be_shaped_like_that_of_a_switch():
    senders = [address for port, address in PORTS.items() if port != "port2"]
    whole = shape_switch(PORTS, Link(20, shared=False))
    assert shape_port("port2", senders, Link(20, shared=False)) == [line for line in whole if "dev port2 " in line]
