"""`deepthings init` with a broker that wants a login, and a camera that gives pictures; by questions and by options."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import stat
from pathlib import Path

import cv2
import pytest

from camera_sources.source import FOOTAGE
from gateway.configuration.reading.configuration_file import parse_configuration
from shared.network.addresses import LOOPBACK, Address
from shared.process.local_cluster import LocalCluster
from tests.cameras import LOGIN, UNSEEN, web_camera
from tests.commands import run
from tests.extent import one_in
from tests.harness import Witness, connected, gateway_ports, until_listening
from tests.house_broker import GATEWAY, PASSWORDS, Certificates, house_broker
from tests.ports import free_port
from tests.terminal import at_terminal

PAGE = Path(__file__).parents[2] / "docs/configuration.md"

PASSWORD = PASSWORDS[GATEWAY]
NO_LOGIN = "bad user name or password, or none"


@pytest.fixture(scope="module")
def camera():
    with web_camera("--login", LOGIN, "--size", "320x240") as server:
        yield server


@pytest.fixture
async def house(tmp_path_factory):
    async with house_broker(tmp_path_factory.mktemp("house")) as broker:
        yield broker


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def login(tmp_path, password):
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    return "--username", GATEWAY, "--password-file", str(file)


def written(home):
    return sorted(path.name for path in home.iterdir())


def mode(file):
    return stat.S_IMODE(file.stat().st_mode)


async def test_questions_make_a_configuration_that_was_tried(house, camera, home):
    """Asked are two wrong things, which are told at once, and corrected."""
    with at_terminal("init", cwd=home) as person:
        person.until(f"This writes {home}/deepthings.yaml")
        person.answer("an MQTT broker", "y")
        person.answer("name or address [homeassistant.local]:", "127.0.0.1")
        person.answer("encrypted (TLS)?")
        person.answer("port [1883]:", str(house.address.port))
        person.answer("user name", GATEWAY)
        person.answer("password", UNSEEN)
        person.until(f"broker {house.address}: failed: {NO_LOGIN}")
        person.answer("try again?")
        person.answer("an MQTT broker")
        person.answer("[127.0.0.1]:")
        person.answer("encrypted (TLS)?")
        person.answer(f"[{house.address.port}]:")
        person.answer(f"[{GATEWAY}]:")
        person.answer("password", PASSWORD)
        person.until(f"broker {house.address}: connected")
        person.answer("Name of a camera, for topics and Home Assistant [front_door]:", "Front Door")
        person.answer("Error: name of a camera: invalid name", "front_door")
        person.answer("Its address:", f"http://me:other@{camera.address}/picture")
        person.until("camera front_door: failed: wrong password")
        person.answer("try again?")
        person.answer("[front_door]:")
        person.answer("Its address:", f"http://{LOGIN}@{camera.address}/picture")
        person.until("camera front_door: 320x240")
        person.answer("to front_door.jpg?")
        person.answer("Another camera?")
        person.answer("commas between them [person]:", "person, cat, lion")
        person.answer("the model has no label 'lion'", "person, cat")
        person.answer("Will other devices compute for it?", "y")
        assert person.end() == 0
    assert PASSWORD not in person.shown
    for words in (
        f"deepthings gateway --config {home}/deepthings.yaml\n",
        f"service install gateway --config {home}/deepthings.yaml\n",
        "deepthings invite attic\n",
        "edge --listen 0.0.0.0\n",
        "deepthings status --gateway ",
        "its MQTT integration uses the broker 127.0.0.1.",
    ):
        assert words in person.shown
    assert written(home) == ["deepthings.yaml", "front_door.jpg", "secrets.yaml"]
    assert cv2.imread(str(home / "front_door.jpg")).shape == (720, 960, 3)
    assert mode(home / "secrets.yaml") == 0o600
    text = (home / "deepthings.yaml").read_text()
    assert PASSWORD not in text
    assert UNSEEN not in text
    checked = run("check-config", "--connect", "deepthings.yaml", cwd=home)
    assert checked.returncode == 0, checked.stderr
    assert checked.stderr == ""
    assert "camera front_door: 320x240" in checked.stdout
    assert parse_configuration(home / "deepthings.yaml").require_valid().objects.track == ("person", "cat")


def test_who_cannot_be_reached_yet_may_be_written_all_the_same(home):
    with at_terminal("init", "--listen", "127.0.0.1", cwd=home) as person:
        person.answer("an MQTT broker", "y")
        person.answer("name or address", "127.0.0.1")
        person.answer("encrypted (TLS)?", "y")
        person.answer("port [8883]:", "9")
        person.answer("The CA", "/nowhere/ca.pem")
        person.answer("file /nowhere/ca.pem not found")
        person.answer("user name")
        person.until("broker 127.0.0.1:9: failed: connection refused")
        person.answer("try again?", "n")
        person.answer("Name of a camera")
        person.answer("Its address:", "rtsp://127.0.0.1:9/stream")
        person.until("camera front_door: failed: not reachable")
        person.answer("try again?", "n")
        person.answer("Another camera?")
        person.answer("are followed?")
        assert person.end() == 0
    assert written(home) == ["deepthings.yaml"]
    mqtt = parse_configuration(home / "deepthings.yaml").require_valid().mqtt
    assert (mqtt.host, mqtt.port, mqtt.username, mqtt.tls is None) == ("127.0.0.1", 9, None, False)


def test_options_answer_questions_and_a_file_that_is_there_is_not_touched(home):
    (home / "deepthings.yaml").write_text("mine")
    options = ("--no-broker", "--camera", "yard=test://64x48?fps=5", "--track", "person", "--listen", "127.0.0.1")
    with at_terminal("init", *options, cwd=home) as person:
        person.until("deepthings.yaml already exists")
        person.answer("Another name [deepthings-2.yaml]:")
        person.until("camera yard: 64x48")
        person.answer("Write its picture", "n")
        assert person.end() == 0
    assert written(home) == ["deepthings-2.yaml", "deepthings.yaml"]
    assert (home / "deepthings.yaml").read_text() == "mine"
    assert list(parse_configuration(home / "deepthings-2.yaml").require_valid().cameras) == ["yard"]


@pytest.mark.parametrize("question", one_in(3, ["Its address:", "an MQTT broker", "are followed?"]))
def test_ctrl_c_leaves_nothing_behind(home, question):
    with at_terminal("init", cwd=home) as person:
        if question != "an MQTT broker":
            person.answer("an MQTT broker", "n")
            person.answer("Name of a camera")
        if question == "are followed?":
            person.answer("Its address:", "test://64x48?fps=5")
            person.answer("Write its picture", "y")
            person.answer("Another camera?")
        person.until(question)
        assert person.interrupt() == 130
    assert "Nothing was written." in person.shown
    assert "Traceback" not in person.shown
    assert written(home) == []


def test_a_trial_can_be_interrupted(home):
    """A camera that takes the connection and says nothing is waited for."""
    with web_camera() as camera, at_terminal("init", "--no-broker", cwd=home) as person:
        camera.freeze()
        person.answer("Name of a camera")
        person.answer("Its address:", f"http://{camera.address}/picture")
        person.until("Trying camera front_door ...")
        assert person.interrupt() == 130
        camera.thaw()
    assert written(home) == []


async def test_by_options_all_is_tried_and_written(house, camera, home, tmp_path):
    done = run(
        "init", "--no-input", "--broker", str(house.address), *login(tmp_path, PASSWORD), "--camera",
        f"door=http://{LOGIN}@{camera.address}/picture", "--camera", "yard=test://64x48?fps=5", "--track", "person,car",
        "--listen", "0.0.0.0", cwd=home,  # noqa: S104
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"broker {house.address}: connected\ncamera door: 320x240\ncamera yard: 64x48\n" in done.stdout
    assert done.stderr == ""
    assert PASSWORD not in done.stdout + done.stderr
    assert UNSEEN not in done.stdout + done.stderr
    assert written(home) == ["deepthings.yaml", "secrets.yaml"]
    checked = run("check-config", "--connect", "deepthings.yaml", cwd=home)
    assert (checked.returncode, checked.stderr) == (0, "")


async def test_what_it_says_to_type_makes_a_cluster_that_detects(house, home, tmp_path):
    """Commands as they are printed, but for ports that are free here; the edge has its keys in a folder of its own."""
    options = ("--broker", str(house.address), *login(tmp_path, PASSWORD), "--listen", "0.0.0.0")  # noqa: S104
    done = run("init", "--no-input", *options, "--camera", f"street={FOOTAGE}", cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    typed = [shlex.split(line) for line in done.stdout.splitlines() if line.startswith("  ")]
    broker = Address(LOOPBACK, free_port())
    async with LocalCluster(broker, tmp_path / "logs") as processes:
        (gateway,) = [words for words in typed if words[1] == "gateway"]
        ports = (*gateway_ports(broker), "--join-port", str(free_port()), "--cluster-tls-port", str(free_port()))
        await until_listening(broker, await processes.start("gateway", *gateway[1:], *ports))
        (invite,) = [words for words in typed if words[1] == "invite"]
        state = str(tmp_path / "logs" / "state" / "deepthings")
        invited = await asyncio.to_thread(run, *invite[1:], "--state", state)
        keys = ("--keys", str(tmp_path / "attic"))
        (join,) = [line.split() for line in invited.stdout.splitlines() if " join " in line]
        joined = await asyncio.to_thread(run, *join[1:], *keys)
        assert joined.returncode == 0, joined.stderr
        (edge,) = [words for words in typed if words[1] == "edge"]
        await processes.start("attic", *edge[1:], *keys, "--cache", str(tmp_path / "cache"))
        witness = Witness(house.address, house.login(GATEWAY))
        async with connected(witness.bus):
            await witness.until("detections", lambda: any(frame.objects for frame in witness.detections), 90)


async def test_by_options_what_fails_writes_nothing_unless_it_is_not_tried(house, home, tmp_path):
    options = (
        "init",
        "--no-input",
        "--broker",
        str(house.address),
        *login(tmp_path, UNSEEN),
        "--camera",
        "a=test://64x48?fps=5",
    )
    done = run(*options, cwd=home)
    assert done.returncode == 1
    assert f"broker {house.address}: failed: {NO_LOGIN}" in done.stdout
    assert done.stderr == "Error: nothing was written; correct what failed, or add --no-try to write it anyway\n"
    assert written(home) == []
    done = run(*options, "--no-try", cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    assert UNSEEN not in done.stdout
    assert written(home) == ["deepthings.yaml", "secrets.yaml"]


async def test_a_broker_with_a_certificate_of_its_own_authority(home, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl here to make certificates with")
    certificates = Certificates(tmp_path)
    ca = certificates.authority()
    certificates.signed("server", "IP:127.0.0.1")
    async with house_broker(tmp_path, server=False) as broker:
        options = (
            "init", "--no-input", "--broker", str(broker.encrypted["server"]), *login(tmp_path.parent, PASSWORD),
            "--camera", "a=test://64x48?fps=5",
        )  # fmt: skip
        strange = run(*options, "--tls", cwd=home)
        assert strange.returncode == 1
        assert "is signed by an unknown authority (set its CA)" in strange.stdout
        done = run(*options, "--ca", str(ca), cwd=home)
        assert done.returncode == 0, done.stdout + done.stderr
    assert parse_configuration(home / "deepthings.yaml").require_valid().mqtt.tls.ca == ca


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "missing options; write --broker HOST[:PORT] or --no-broker, and --camera NAME=ADDRESS"),
        (("--no-broker",), "write --camera NAME=ADDRESS"),
        (("--no-broker", "--broker", "h"), "--broker and --no-broker exclude each other"),
        (("--broker", "h:p"), "address 'h:p' is not HOST:PORT"),
        (("--broker", "a_b!"), "host: invalid host; write only a name or an address"),
        (("--username", "me"), "--username without --broker"),
        (("--no-broker", "--tls"), "--tls without --broker"),
        (("--broker", "h", "--password-file", "/nowhere"), "'/nowhere' does not exist"),
        (("--broker", "h", "--password-file", "/dev/null"), "--password-file without --username"),
        (("--broker", "h", "--username", "me", "--password-file", "/dev/null"), "--password-file /dev/null is empty"),
        (("--camera", f"rtsp://me:{UNSEEN}@h/x"), "write for example front_door=rtsp://"),
        (("--camera", f"rtsp://me:{UNSEEN}@h/?x=1"), "name of a camera: invalid name"),
        (("--camera", f"door=rtps://me:{UNSEEN}@h/"), "camera door: source: unknown kind of address, rtps://; did you"),
        (("--camera", "door="), "write for example front_door=rtsp://"),
        (("--camera", "all=test://"), "name of a camera: reserved word, as topics use it"),
        (("--camera", "a=test://", "--camera", "a=test://"), "camera a already exists"),
        (("--track", "lion"), "the model has no label 'lion'"),
        (("--track", ","), "missing label; write for example person, car"),
        (("--listen", "0.0.0.0:1"), "invalid host; write only a name or an address"),
        (("a.txt",), "a.txt: invalid name of a configuration; end it in .yaml"),
        (("secrets.yaml",), "secrets.yaml: invalid name of a configuration"),
        (("a.yaml",), "a.yaml is a folder; write the name of a file"),
        (("there.yaml/b.yaml",), "there.yaml is not writable; write another path"),
        (("there.yaml",), "write another name, for example there-2.yaml, or --force"),
    ],
)
def test_bad_usage_is_told_and_ends_with_two(deepthings, tmp_path, options, words):
    (tmp_path / "there.yaml").touch()
    (tmp_path / "a.yaml").mkdir()
    enough = ("--no-broker", "--camera", "a=test://") if options[:1] and options[0].endswith(("yaml", "txt")) else ()
    done = deepthings("init", "--no-input", "--no-try", *enough, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert UNSEEN not in done.stderr
    assert written(tmp_path) == ["a.yaml", "there.yaml"]


async def test_the_command_of_the_page_does_what_it_says(house, camera, home):
    """With the broker and the camera that there are in the place of those that it names."""
    (line,) = re.findall(r"^\$ (deepthings init (?:.|\\\n)*)$", PAGE.read_text().replace("\\\n", ""), re.MULTILINE)
    line = line.replace("homeassistant.local", str(house.address))
    line = line.replace("rtsp://192.168.1.41/stream", f"http://{LOGIN}@{camera.address}/stream")
    (home / "password.txt").write_text(PASSWORD)
    done = run(*shlex.split(line)[1:], cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert written(home) == ["deepthings.yaml", "password.txt", "secrets.yaml"]


def test_without_a_terminal_nothing_is_asked_and_that_is_said(home):
    done = run("init", cwd=home)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("this is not a terminal, so nothing is asked, as with --no-input\n")
    assert run("init", "--no-broker", "--camera", "a=test://64x48?fps=5", cwd=home).returncode == 0


def test_force_replaces_the_configuration_and_keeps_other_secrets(deepthings, tmp_path):
    file, secrets = tmp_path / "deepthings.yaml", tmp_path / "secrets.yaml"
    file.write_text("old")
    secrets.write_text("# mine\ndoor_url: rtsp://other")
    options = ("init", "--no-input", "--no-try", "--no-broker", "--camera", f"door=rtsp://me:{UNSEEN}@h/x")
    assert deepthings(*options).returncode == 2
    for _ in range(2):  # once more changes nothing
        assert deepthings(*options, "--force").returncode == 0
        assert secrets.read_text() == f"# mine\ndoor_url: rtsp://other\ndoor_url_2: 'rtsp://me:{UNSEEN}@h/x'\n"
    assert "source: !secret door_url_2" in file.read_text()
    assert (
        parse_configuration(file).require_valid().cameras["door"].source.get_secret_value() == f"rtsp://me:{UNSEEN}@h/x"
    )
