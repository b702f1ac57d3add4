"""Pictures that somebody publishes, through a real broker that wants a password."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess

import aiomqtt
import cv2
import numpy as np
import pytest

from gateway.broker.mosquitto import find_mosquitto
from shared.network.addresses import LOOPBACK
from tests.cameras import UNSEEN, assigned, edge_side
from tests.ports import free_port

STALE_S = 1.0
LATE_S = 1.0
"""For telling it, on a busy machine."""

TOPIC = "home/front/picture"


@pytest.fixture(autouse=True)
def secrets(capfd):
    yield
    assert UNSEEN not in "".join(capfd.readouterr())


class Broker:
    """Mosquitto for one user."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"mqtt://me:{UNSEEN}@{LOOPBACK}:{self.port}/{TOPIC}"
        passwords, self._configuration = folder / "passwords", folder / "mosquitto.conf"
        passwords.write_text(f"me:{UNSEEN}\n")
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
        self._configuration.write_text(
            f"listener {self.port} {LOOPBACK}\nallow_anonymous false\npassword_file {passwords}\nuser root\n"
            "log_type error\n"
        )

    async def start(self):
        self._open()
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(LOOPBACK, self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    def _open(self):
        self._process = subprocess.Popen([find_mosquitto(), "-c", str(self._configuration)])

    def kill(self):
        self._process.kill()
        self._process.wait()

    def client(self):
        return aiomqtt.Client(LOOPBACK, self.port, username="me", password=UNSEEN)


@pytest.fixture
async def broker(tmp_path):
    here = Broker(tmp_path)
    await here.start()
    yield here
    here.kill()


def picture(value):
    return cv2.imencode(".png", np.full((48, 64, 3), value, np.uint8))[1].tobytes()


@contextlib.asynccontextmanager
async def publishing(broker, *, payload=None):
    """Twenty pictures a second, or twenty times something else."""

    ended = asyncio.Event()

    async def publish():
        async with broker.client() as client:
            for number in itertools.count():
                await client.publish(TOPIC, payload or picture(number % 256))
                if ended.is_set():  # not cancelled: asyncio.wait_for, in the client, can lose that before Python 3.12
                    return
                await asyncio.sleep(0.05)

    task = asyncio.create_task(publish())
    try:
        yield
    finally:
        ended.set()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_camera_is_there_while_somebody_publishes_and_comes_back_after_the_broker(broker):
    async with broker.client() as client:
        await client.publish(TOPIC, picture(1), qos=1, retain=True)
    async with edge_side() as edge:
        edge.supervisor.assign_cameras({"front": assigned(broker.url, stale_after=STALE_S)})
        await edge.until_offline("connecting")
        await edge.until_offline("no picture for 1.0 s")
        assert edge.count() == 0  # the one that the broker kept is from before
        async with publishing(broker):
            await edge.until_online()
            await edge.until_more(5)
        assert await edge.until_offline("no picture for 1.0 s") <= STALE_S + LATE_S
        broker.kill()
        await edge.until_offline("not reachable: connection refused")
        await broker.start()
        async with publishing(broker):
            await edge.until_online()
            await edge.until_more(5)


async def test_everything_that_can_be_wrong_has_its_reason(broker):
    async with edge_side() as edge, publishing(broker, payload=b"no picture"):
        edge.supervisor.assign_cameras(
            {
                "password": assigned(broker.url.replace(UNSEEN, "other"), stale_after=STALE_S),
                "nobody": assigned(broker.url.replace(f"me:{UNSEEN}@", ""), stale_after=STALE_S),
                "garbage": assigned(broker.url, stale_after=STALE_S),
            }
        )
        await edge.until_offline("wrong password", "password")
        await edge.until_offline("wrong password", "nobody")
        await edge.until_offline("codec not decodable: the data is not a picture", "garbage")
