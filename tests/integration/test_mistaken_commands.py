"""What a user gets for things that cannot be: one line in words, and an exit code."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.network.addresses import LOOPBACK
from tests.commands import DEEPTHINGS
from tests.ports import free_port

pytestmark = pytest.mark.slow

NUMBERS = re.compile(r"Errno|code[: ]*\d|Traceback|[A-Z][a-zA-Z]+(Error|Exception)\b")

FAILED, USAGE = 1, 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Files and folders that are not what they should be."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "folder").mkdir()
    (folder / "noise.onnx").write_bytes(b"\x00\xffnoise")
    (folder / "noise.yaml").write_bytes(b"\xff\xfe\x00")
    (folder / "file").write_bytes(b"x")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    return folder


def mistakes(place, used):
    """What is typed, the exit code, and words of the answer."""
    photo = str(Path("tests/photos/astronaut.jpg").resolve())
    return {
        "port in use": (("gateway", "--port", used), FAILED, "the port is in use"),
        "data port in use": (
            ("gateway", "--port", str(free_port()), "--data-port", used), FAILED, "the port is in use",
        ),
        "address of others": (("gateway", "--listen", "192.0.2.7"), FAILED, "this machine does not have that address"),
        "host of nobody": (("gateway", "--listen", "no-such-host.invalid"), FAILED, "host name not found"),
        "no address": (("edge", "--gateway", "a:b:c"), USAGE, "is not HOST:PORT"),
        "no model": (("detect", photo, "--model", f"{place}/none.onnx"), FAILED, "no such file"),
        "noise as a model": (("detect", photo, "--model", f"{place}/noise.onnx"), FAILED, "noise.onnx"),
        "links that lead nowhere": (("detect", f"{place}/loop.jpg"), FAILED, "loop.jpg"),
        "a file, not a folder": (("detect", photo, "--out", f"{place}/file/x.png"), FAILED, "as a file instead"),
        "pictures into a file": (
            ("gateway", "--port", str(free_port()), "--pictures", f"{place}/file"), USAGE, "is a file",
        ),
        "a folder as a configuration": (("gateway", "--config", f"{place}/folder"), USAGE, "is a directory"),
        "no configuration": (
            ("gateway", "--config", f"{place}/none.yaml"), USAGE,
            "does not exist; write the path of a file that exists",
        ),
        "noise as a configuration": (("check-config", f"{place}/noise.yaml"), USAGE, "noise.yaml"),
        "no video": (("camera", "--source", f"{place}/none.mp4", "--name", "a", "--edge", "a:9"), FAILED, "none.mp4"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def answers(place):
    """What each of them printed, and its exit code; some at once, as a start takes a second."""

    def answer(arguments):
        return subprocess.run(
            [DEEPTHINGS, *arguments], capture_output=True, text=True, timeout=100, check=False,
            env=os.environ | {"XDG_STATE_HOME": str(place / "state")}, stdin=subprocess.DEVNULL, cwd=place,
        )  # fmt: skip

    with socket.create_server((LOOPBACK, 0)) as taken, ThreadPoolExecutor(3) as pool:
        wrong = mistakes(place, str(taken.getsockname()[1]))
        done = {name: pool.submit(answer, arguments) for name, (arguments, *_) in wrong.items()}
        return {name: (done[name].result(), *expected) for name, (_, *expected) in wrong.items()}


@pytest.mark.parametrize("name", mistakes(Path(), ""))
def test_a_mistake_has_one_line_in_words_and_an_exit_code(answers, name):
    done, code, words = answers[name]
    said = done.stderr + done.stdout
    assert done.returncode == code, said
    assert words in said
    assert not NUMBERS.search(said), said
    assert len([line for line in said.splitlines() if line.startswith("Error")]) <= 1, said
