"""Real cameras and a real edge's side of them for tests: servers as processes, and what agents report."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from camera_sources.camera_settings import AssignedCamera, CameraSettings
from edge.cameras.agent_sessions import CameraSessions
from edge.cameras.supervisor import CameraSupervisor
from edge.tasks.intake import Intake
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import State
from shared.payloads.frames import Outcome
from shared.process.footprint import descendants
from shared.wire.server import DataServer
from shared.wire.wire_traffic import WireTraffic
from tests.ports import free_port

SERVERS = Path(__file__).parent / "servers"
SYSTEM_PYTHON = "/usr/bin/python3"
RTSP_PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good "
    "gstreamer1.0-plugins-ugly"
)
CAN_SERVE_RTSP = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import Gst, GstRtspServer; "
    "Gst.init(None); assert all(map(Gst.ElementFactory.find, ('videotestsrc', 'rtph264pay', 'x264enc', 'alawenc')))"
)
UNSEEN = "s3cr3t"
LOGIN = f"me:{UNSEEN}@:"
"""User and password, not escaped, as users write them."""


def require_rtsp_server():
    """Skip if the environment says that there is no server; otherwise fail with the packages to install."""
    if os.environ.get("DEEPTHINGS_NO_RTSP_SERVER"):
        pytest.skip("DEEPTHINGS_NO_RTSP_SERVER is set")
    try:
        subprocess.run([SYSTEM_PYTHON, "-c", CAN_SERVE_RTSP], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        pytest.fail(
            f"no RTSP server for tests ({why}): run 'apt-get install {RTSP_PACKAGES}', or set "
            "DEEPTHINGS_NO_RTSP_SERVER=1 to do without"
        )


class CameraServer:
    """A camera on the network, which can be frozen, killed and started again on the same port."""

    def __init__(self, *command):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._command = command
        self._process = None

    def start(self, *options):
        command = [str(self.port) if word == "PORT" else word for word in (*self._command, *options)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n", f"{command} did not start"
        return self

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def stop_and_read(self):
        """Stop the server, and return the lines that it has written since its start."""
        self._process.kill()
        lines = self._process.stdout.read().split()
        self.kill()
        return lines

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdout.close()
            self._process = None


@contextlib.contextmanager
def web_camera(*options, start=True):
    server = CameraServer(sys.executable, str(SERVERS / "web_camera.py"), "PORT")
    try:
        yield server.start(*options) if start else server
    finally:
        server.kill()


@contextlib.contextmanager
def rtsp_camera(*options):
    """`options` are width, height, codec and perhaps user:password."""
    server = CameraServer(SYSTEM_PYTHON, str(SERVERS / "rtsp_server.py"), "PORT")
    try:
        yield server.start(*options)
    finally:
        server.kill()


@contextlib.contextmanager
def difficult_rtsp_camera(*options):
    """Run a camera that answers requests with errors; `options` are those of the server."""
    server = CameraServer(sys.executable, str(SERVERS / "rtsp_faults.py"), "PORT")
    try:
        yield server.start(*options)
    finally:
        server.kill()


class EdgeSide:
    """An edge as its agents see it: it accepts frames, which end at once, and stores the published stats."""

    def __init__(self):
        self.stats = {}
        self.reports = []
        self.frames = {}
        self._changed = asyncio.Event()
        self.credit = 2
        self.tasks = SimpleNamespace(
            frames_wanted=lambda invited, _: self.credit - invited,
            next_frame_due_s=lambda: 0.05,
            intake=Intake(),
            frames_elsewhere=0,
        )
        self.sessions = CameraSessions("edge-1", self, self, lambda _: self.credit, lambda: 1)
        self.server = DataServer(self._serve, Address(LOOPBACK, 0), WireTraffic())
        self.supervisor = CameraSupervisor(self.server.address, self.sessions)
        self.sessions.open()

    async def _serve(self, connection, first, _):
        await self.sessions.serve(connection, first)

    def publish_soon(self, _, stats, camera):
        """Stand in for the bus."""
        self.stats[camera] = stats
        self.reports.append(stats)
        self._changed.set()

    async def accept_frame(self, info, picture, finished, **_promised):
        """Stand in for the owner."""
        self.frames.setdefault(info.camera, []).append((info, picture))
        self._changed.set()
        finished(Outcome.PUBLISHED)

    def request_outcome(self, _, outcome, finished):
        """Stand in for the owner, which does not know the frame."""
        finished(outcome)

    def newest(self, camera="front"):
        return self.frames[camera][-1][0]

    def count(self, camera="front"):
        return len(self.frames.get(camera, ()))

    def state(self, camera="front"):
        """Return state and reason as published last."""
        stats = self.stats.get(camera)
        return (None, "") if stats is None else (stats.state, stats.reason)

    async def until(self, what, condition, timeout_s=30):
        """Wait until `condition()` holds, and return the seconds that it took."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{what} did not happen; published: {self.stats}") from None
        return time.monotonic() - begun

    async def until_online(self, camera="front", timeout_s=30):
        return await self.until(f"{camera} online", lambda: self.state(camera)[0] is State.ONLINE, timeout_s)

    async def until_offline(self, reason, camera="front", timeout_s=30):
        return await self.until(
            f"{camera} offline: {reason}",
            lambda: self.state(camera)[0] is State.OFFLINE and reason in self.state(camera)[1], timeout_s,
        )  # fmt: skip

    async def until_more(self, frames, camera="front", timeout_s=30):
        """Wait until so many more frames have come."""
        enough = self.count(camera) + frames
        return await self.until(f"{frames} more frames", lambda: self.count(camera) >= enough, timeout_s)


@contextlib.asynccontextmanager
async def edge_side():
    """Run an edge's side with a supervisor."""
    here = EdgeSide()
    running = [asyncio.create_task(here.server.run()), asyncio.create_task(here.supervisor.run())]
    try:
        yield here
    finally:
        for task in reversed(running):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert not agents(), "agents outlive their supervisor"
    assert UNSEEN not in repr(here.reports)


def assigned(source, *, detect=True, rate=None, motion=None, **settings):
    """Return a camera; by default all of its pictures are sent on."""
    gate = motion or {"enabled": False}
    return AssignedCamera(settings=CameraSettings(source=source, motion=gate, **settings), detect=detect, fps=rate)


def agents():
    """Return process IDs and command lines of our agents, by camera."""
    lines = {}
    for process in descendants(os.getpid()):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
            if "--settings" in words:
                lines[words[words.index("--name") + 1]] = process, words
    return lines


async def until_gone(camera, timeout_s=15):
    """Wait until the camera's agent process has ended."""
    async with asyncio.timeout(timeout_s):
        while camera in agents():  # noqa: ASYNC110  (the supervisor waits for the process; a test can only poll)
            await asyncio.sleep(0.02)
