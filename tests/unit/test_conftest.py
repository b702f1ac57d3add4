"""The fence around unit tests holds."""

from __future__ import annotations

import asyncio
import socket

import pytest


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_unit_test_that_opens_a_socket_fails(family):
    with pytest.raises(pytest.fail.Exception, match="opened a socket"):
        socket.socket(family, socket.SOCK_STREAM)


def test_a_unit_test_that_connects_fails():
    with pytest.raises(pytest.fail.Exception, match="opened a socket"):
        socket.create_connection(("127.0.0.1", 1))


async def test_the_event_loop_works_behind_the_fence():
    assert await asyncio.to_thread(lambda: 7) == 7
