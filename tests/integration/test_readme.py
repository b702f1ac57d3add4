"""Every command in the documentation is executed here, as it stands there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.cameras.mqtt_values import CAMERA_SETTINGS, encode_setting, with_setting
from gateway.cameras.overrides import Overrides
from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.models.catalogue import DEFAULT_MODEL, MODELS
from gateway.planning.methods import Method
from shared.cli.command_group import cli
from shared.cli.service_command import uninstall
from shared.detection.decoding.recognition import FAMILIES
from shared.model.spec import ModelSpec
from shared.mqtt import topics
from shared.mqtt.topics import PlainTopic, Topic, Writer
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.bridge import Response
from shared.payloads.cluster import FrameDetections
from shared.payloads.frames import Outcome
from shared.process.lifecycle import installed_version
from shared.settings.slugs import RESERVED_SLUGS
from shared.systemd.unit import SERVICE_ROLES, unit_name
from tests.commands import DEEPTHINGS
from tests.darknet_files import yolov3_tiny
from tests.extent import one_in
from tests.harness import broker_at
from tests.ports import free_port
from tests.terminal import at_terminal

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "mosquitto" / "README.md"]
SERVICES = {"gateway": "connected to broker", "edge": "by whole, whole frames", "camera": "feeds edge"}
"""Subcommands that run until they are stopped, and what they say when they work."""
LOCAL = {
    "detect": r"person|\d\.\d\d at \(",
    "verify": "largest difference 0 ",
    "plan": "MiB",
    "quantize": "int8",
    "check-config": "street",
    "camera shot": "a grid of tenths",
}
"""Subcommands that end by themselves, and what they print."""


def commands(document, language="sh"):
    """The lines of a document's blocks, without comments; scripts/deepthings is deepthings, once it is set up."""
    blocks = re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]
    return [line.removeprefix("scripts/") if line.startswith("scripts/deepthings ") else line for line in lines]


ALL = [line for document in DOCUMENTS for line in commands(document)]


@pytest.fixture
def ports():
    """What stands for the ports of the documents, and of the gateway, which may be in use here."""
    return {port: str(free_port()) for port in ("1883", "7701", "7883", "7884")}


def words_of(line, ports):
    line = re.sub(r"--gateway 127\.0\.0\.1(?!:)", "--gateway 127.0.0.1:7883", line)
    if line.startswith("deepthings gateway"):
        line += " --cluster-port 7883 --data-port 7884" + ("" if "--broker" in line else " --port 1883")
    for port, free in ports.items():
        line = re.sub(rf"\b{port}\b", free, line)
    words = shlex.split(line)
    return [DEEPTHINGS, *words[1:]] if words[0] == "deepthings" else words


@contextlib.asynccontextmanager
async def running(words, expected, folder=ROOT):
    """A service from when it says what is expected until the end of the context, when it must stop cleanly."""
    process = await asyncio.create_subprocess_exec(*words, cwd=folder, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    said = ""
    try:
        async with asyncio.timeout(30):
            while expected not in said:
                line = (await process.stderr.readline()).decode()
                assert line, f"{words} ended: {said}"
                said += line
        draining = asyncio.create_task(process.stderr.read())
        yield
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            assert await process.wait() == 0, said + (await draining).decode()
            await draining
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_this_file_knows_every_command_of_the_documents():
    unknown = [line for line in ALL if kind_of(line) is None]
    assert not unknown
    assert len(ALL) >= 10


def kind_of(line):
    first, second, third = (*line.removeprefix("sudo ").split(), "", "")[:3]
    if first in {"systemctl", "journalctl"}:
        return "systemd"
    if first == "deepthings" and f"{second} {third}" in LOCAL:
        return f"{second} {third}"
    others = {"init", "watch", "status", "trace", "service", "update", "backup", "restore"}
    if first == "deepthings" and second in {*SERVICES, *LOCAL, *others}:
        return second
    if second == "benchmarks/engine.py":
        return "benchmark"
    if (first, second, third) == ("deepthings", "bench", "scale"):
        return "bench scale"
    known = {
        "scripts/build",
        "scripts/deepthings",
        "scripts/demo",
        "scripts/test",
        "scripts/bench",
        "mosquitto_sub",
        "mosquitto_pub",
        "mosquitto_rr",
    }
    return first if first in known else None


async def test_the_walk_through_works_from_the_first_command_to_the_last(ports, tmp_path):
    """Gateway, edges and camera as the README starts them, both ways to watch, and how they are."""
    other = ("0.0.0.0", "--config")  # noqa: S104
    lines = [line for line in commands(ROOT / "README.md") if not any(word in line for word in other)]
    async with contextlib.AsyncExitStack() as stack:
        for line in lines:
            if kind_of(line) in SERVICES:
                await stack.enter_async_context(running(words_of(line, ports), SERVICES[kind_of(line)]))
        for line in lines:
            if kind_of(line) == "watch":
                assert "campus #" in await first_line([*words_of(line, ports), "--frames", "1"])
            if kind_of(line) == "status":
                assert "gateway  online" in await first_line(words_of(line, ports))
            if kind_of(line) == "trace":
                said = await first_line([*words_of(line, ports), "--out", str(tmp_path / "trace.json")])
                assert "frames of campus" in said
            if kind_of(line) == "mosquitto_sub" and shutil.which("mosquitto_sub"):
                said = await first_line([*words_of(line, ports), "-C", "1"])
                assert FrameDetections.model_validate_json(said).camera == "campus"


@pytest.mark.slow
async def test_a_gateway_with_the_cameras_of_a_file_serves_them_with_whatever_edge_there_is(
    ports, monkeypatch, tmp_path
):
    """As the README starts it; an edge beside it gets the camera."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (line,) = [line for line in commands(ROOT / "README.md") if line.startswith("deepthings gateway --config")]
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(words_of(line, ports), SERVICES["gateway"]))
        edge = f"deepthings edge --gateway 127.0.0.1 --name shed --cache {tmp_path}"
        await stack.enter_async_context(running(words_of(edge, ports), "is online: 768x576"))
        said = await first_line(words_of("deepthings watch --gateway 127.0.0.1 --frames 1", ports))
        assert "street #" in said


async def first_line(words):
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    return out.decode().splitlines()[0]


@pytest.mark.slow
async def test_how_a_cluster_is_can_be_asked_as_the_documents_say(ports):
    lines = [line for line in commands(ROOT / "docs" / "status.md") if kind_of(line) == "status"]
    assert len(lines) == 3
    gateway = words_of("deepthings gateway --port 1883", ports)
    async with running(gateway, SERVICES["gateway"]):
        for line in lines:
            words = words_of(line, ports)
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
            assert process.stdout is not None
            async with asyncio.timeout(30):
                said = (await process.stdout.readline()).decode()
                if "--watch" in words:
                    process.terminate()
                await process.communicate()
            assert process.returncode == 0
            assert json.loads(said)["gateway"] if "--json" in words else said.startswith("gateway  online")


@pytest.mark.slow
async def test_where_the_time_goes_can_be_asked_as_the_documents_say(ports, tmp_path):
    lines = [line for line in commands(ROOT / "docs" / "trace.md") if kind_of(line) == "trace"]
    assert len(lines) == 3
    async with running(words_of("deepthings gateway --port 1883", ports), SERVICES["gateway"]):
        for line in lines:
            words = words_of(line, ports)
            process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
            out, _ = await asyncio.wait_for(process.communicate(), 30)
            assert process.returncode == 0
            said = out.decode()
            assert json.loads(said)["frames"] == 0 if "--json" in words else said.startswith("no frame was published")
    assert {path.name for path in tmp_path.iterdir()} == {"deepthings-trace.json", "minute.json"}


async def test_gateway_and_edge_listen_on_the_network_when_told(ports):
    lines = [
        line for line in commands(ROOT / "README.md")
        if "0.0.0.0" in line and not line.startswith("sudo")  # noqa: S104
    ]  # fmt: skip
    assert [kind_of(line) for line in lines] == ["gateway", "edge"]
    async with contextlib.AsyncExitStack() as stack:
        for line in lines:
            await stack.enter_async_context(running(words_of(line, ports), SERVICES[kind_of(line)]))


async def test_a_broker_that_runs_already_can_be_used(ports):
    (line,) = commands(ROOT / "mosquitto" / "README.md")
    async with broker_at(Address(LOOPBACK, int(ports["1883"]))), running(words_of(line, ports), SERVICES["gateway"]):
        pass


@pytest.fixture
def workshop(tmp_path):
    """A folder with the files that the documents' user has: a detector as ONNX, one of Darknet's, and pictures."""
    source = MODELS / DEFAULT_MODEL
    shutil.copy(source / f"{DEFAULT_MODEL}.onnx", tmp_path / "mine.onnx")
    description = json.loads((source / f"{DEFAULT_MODEL}.json").read_text()) | {"name": "mine", "file": "mine.onnx"}
    (tmp_path / "mine.json").write_text(json.dumps(description))
    files = yolov3_tiny(tmp_path, size=(416, 416), width=1 / 8, classes=6)
    files.cfg.rename(tmp_path / "yolo.cfg")
    files.weights.rename(tmp_path / "yolo.weights")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for folder in ("camera_sources", "docs"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    return tmp_path


@pytest.mark.parametrize("document", one_in(len(DOCUMENTS), DOCUMENTS), ids=lambda path: path.name)
def test_the_commands_without_a_cluster_work(document, workshop):
    """One after the other: some use what an earlier one wrote."""
    for line in commands(document):
        if kind_of(line) not in LOCAL:
            continue
        words = [DEEPTHINGS, *shlex.split(line)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, cwd=workshop)
        assert done.returncode == 0, done.stderr
        assert re.search(LOCAL[kind_of(line)], done.stdout), done.stdout
        for word in words:
            if word.endswith(".png"):
                assert (workshop / word).stat().st_size > 10_000


def test_a_first_configuration_is_made_as_the_documents_say(workshop):
    """By questions where a line has no options; what is made is right."""
    lines = [line for line in ALL if kind_of(line) == "init"]
    assert lines[0] == "deepthings init"
    for line in lines:
        with at_terminal(*shlex.split(line)[1:], cwd=workshop) as person:
            if "--no-input" not in line:
                person.answer("an MQTT broker", "n")
                person.answer("Name of a camera")
                person.answer("Its address:", "camera_sources/footage/vtest-clip.mp4")
                person.until("camera front_door: 768x576")
                for question in ("Write its picture", "Another camera?", "are followed?", "Will other devices"):
                    person.answer(question)
            assert person.end() == 0, person.shown
            assert "Written: " in person.shown
    made = ["deepthings.yaml", "first.yaml"]
    assert sorted(path.name for path in workshop.glob("*.yaml")) == made
    for name in made:
        assert list(parse_configuration(workshop / name).require_valid().cameras) in (["front_door"], ["street"])


@pytest.mark.slow
async def test_a_gateway_takes_the_models_and_methods_of_the_documents(ports, workshop):
    documents = [ROOT / "docs" / name for name in ("models.md", "methods.md")]
    lines = [line for document in documents for line in commands(document) if kind_of(line) == "gateway"]
    assert len(lines) >= 3
    for line in lines:
        async with running(words_of(line, ports), SERVICES["gateway"], workshop):
            pass


@pytest.mark.slow
def test_the_benchmark_of_the_documents_prints_its_tables():
    (line,) = [line for line in commands(ROOT / "docs" / "engine.md") if kind_of(line) == "benchmark"]
    words = [sys.executable, *shlex.split(line)[1:], "--rounds", "1"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {"prepared engine, 3x3", "plain engine, 5x5"} <= set(re.findall(r"\w+ engine, \dx\d", done.stdout))


@pytest.mark.long  # tests/cluster/test_bench.py runs the same command
def test_the_experiments_of_the_documents_write_their_page(tmp_path):
    """As they stand there, but for one method and device only."""
    lines = {line for line in ALL if kind_of(line) == "scripts/bench"}
    assert len(lines) == 1
    words = [*shlex.split(lines.pop()), "--methods", "ftp-wst-s", "--edges", "1", "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "detections of all settings: the same, bit for bit" in done.stdout
    assert (tmp_path / "README.md").read_text().startswith("# The paper's experiments")


@pytest.mark.slow  # tests/cluster/test_bench_scale.py runs the same command
def test_the_comparisons_of_the_documents_write_their_page(tmp_path):
    """As they stand there, but for one row only."""
    lines = [line for line in ALL if kind_of(line) == "bench scale"]
    assert len(lines) == 2
    for number, line in enumerate(lines):
        out = tmp_path / str(number)
        words = [DEEPTHINGS, *shlex.split(line)[1:], "--rows", "cold-start", "--out", str(out)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=110, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert (out / "README.md").read_text().startswith("# What a cluster gains over its devices")


@pytest.mark.slow
def test_the_services_of_the_documents_can_be_installed(tmp_path):
    """As far as that changes nothing here: their units are printed."""
    lines = [line.removeprefix("sudo ") for line in ALL if kind_of(line) == "service"]
    installing = [shlex.split(line) for line in lines if line.startswith("deepthings service install")]
    assert {words[3] for words in installing} == set(SERVICE_ROLES)
    (tmp_path / "deepthings.yaml").write_text("cameras: {}")
    for words in installing:
        typed = [word.replace("/etc/deepthings", str(tmp_path)) for word in words[1:] if word != "--print"]
        done = subprocess.run(
            [DEEPTHINGS, *typed, "--print"], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        assert f"ExecStart={DEEPTHINGS} {words[3]} " in done.stdout
    for line in lines:
        words = shlex.split(line)
        if words[2] == "uninstall":
            assert cli.make_context("deepthings", words[1:], resilient_parsing=True)
            assert uninstall.make_context("uninstall", words[3:]).params["role"] in SERVICE_ROLES
    assert len(lines) > len(installing)


def test_the_units_of_the_documents_are_those_that_are_installed():
    named = {name for line in ALL if kind_of(line) == "systemd" for name in re.findall(r"deepthings-\S+", line)}
    assert named == {unit_name("gateway"), unit_name("edge")}


def test_the_backup_of_the_documents_is_written_and_restored(workshop, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(workshop / "state"))
    lines = [line for line in ALL if kind_of(line) in {"backup", "restore"}]
    assert [kind_of(line) for line in lines] == ["backup", "restore"]
    for line in lines:
        words = [DEEPTHINGS, *shlex.split(line)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, cwd=workshop)
        assert done.returncode == 0, done.stderr
    assert (workshop / "street.yaml").read_text() == (ROOT / "docs" / "examples" / "street.yaml").read_text()


def test_the_updates_of_the_documents_are_those_that_are_tested():
    """They change an installation, so that tests/integration/test_update.py has some of its own for them."""
    lines = [line for line in ALL if kind_of(line) in {"update", "scripts/build"}]
    wheel = f"dist/deepthings-{installed_version()}-py3-none-any.whl"
    assert lines == ["deepthings update", "scripts/build", f"deepthings update {wheel}"]


def test_every_method_is_in_the_documents():
    text = (ROOT / "docs" / "methods.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)`", text, re.MULTILINE)) == {str(method) for method in Method}


def test_the_description_of_a_model_in_the_documents_is_one():
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "models.md").read_text(), re.DOTALL)
    assert ModelSpec.model_validate_json(example, extra="forbid").name == "mine"


def test_every_decoder_is_in_the_table():
    text = (ROOT / "docs" / "models.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)) == set(FAMILIES)


@pytest.mark.slow
def test_the_demo_script_works_from_anywhere(tmp_path):
    done = subprocess.run(
        [ROOT / "scripts" / "demo", "--headless", "--frames", "5", "--edges", "2", "--json"],
        capture_output=True, text=True, timeout=110, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["frames_captured"] == 5


def test_a_link_to_the_script_of_all_commands_works_from_anywhere(tmp_path):
    (tmp_path / "deepthings").symlink_to(ROOT / "scripts" / "deepthings")
    done = subprocess.run(
        [tmp_path / "deepthings", "detect", ROOT / "tests/photos/astronaut.jpg"],
        capture_output=True, text=True, timeout=110, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "person" in done.stdout


def test_the_scripts_of_the_documents_are_there_to_be_run():
    for name in (
        "scripts/deepthings",
        "scripts/demo",
        "scripts/test",
        "scripts/bench",
        "scripts/setup",
        "scripts/check",
        "scripts/build",
        ".ci/run",
    ):
        assert os.access(ROOT / name, os.X_OK), name
    assert "scripts/test" in (ROOT / ".ci/run").read_text()
    assert "scripts/check" in (ROOT / "scripts/test").read_text()


def test_the_detections_of_the_readme_are_what_the_model_says():
    (example,) = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    detections = FrameDetections.model_validate_json(example, extra="forbid")
    assert json.loads(example) == json.loads(detections.model_dump_json())


def tables(document, columns):
    """The cells of all rows of tables with so many columns, without their heads."""
    rows = [line.strip("|").split(" | ") for line in document.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows if len(row) == columns]


WRITERS = {
    "gateway": Writer.GATEWAY, "edge": Writer.EDGE, "owner": Writer.EDGE, "thief": Writer.EDGE, "you": Writer.ANYBODY,
}  # fmt: skip

TOPICS = [topic for topic in vars(topics).values() if isinstance(topic, Topic | PlainTopic)]


def test_the_table_of_topics_is_complete_and_true():
    documented = [
        (path.strip("`"), payload, WRITERS[writer], int(qos), {"yes": True, "no": False}[retained])
        for path, payload, writer, qos, retained, _ in tables(ROOT / "docs" / "topics.md", 6)
    ]
    known = {
        (
            re.sub(r"{(\w+)}", r"<\1>", topic.path),
            topic.message.__name__ if isinstance(topic, Topic) else topic.content,
            topic.writer,
            topic.qos,
            topic.retain,
        )
        for topic in TOPICS
    }
    assert set(documented) == known
    assert len(documented) == len(known)


def test_the_examples_of_payloads_are_what_the_gateway_says():
    """Of every public topic with a message there is one, with all its fields; that of frames is in the README."""
    text = (ROOT / "docs" / "topics.md").read_text()
    under_its_topic = r"^`([\w/]+)`(?:(?!\n\n).)*:\n\n```json\n((?:(?!```).)*)```"
    examples = re.findall(under_its_topic, text, re.MULTILINE | re.DOTALL)
    assert len(examples) == text.count("```json")
    shown = set()
    for where, example in examples:
        (topic,) = [one for one in TOPICS if isinstance(one, Topic) and re.fullmatch(levels(one), where)]
        message = topic.message.model_validate_json(example, extra="forbid")
        assert json.loads(example) == json.loads(message.model_dump_json()), where
        shown.add(topic.path)
    public = {one.path for one in TOPICS if isinstance(one, Topic) and not one.path.startswith("cluster/")}
    assert shown == public - {topics.DETECTIONS.path, topics.ZONE_OBJECTS.path}


def levels(topic):
    """A pattern of its topics; a reserved word is no name."""
    name = rf"(?!(?:{'|'.join(RESERVED_SLUGS)})\\b)[^/]+"
    return re.sub(r"{\w+}", name, topic.path)


def test_every_setting_of_a_camera_is_in_the_table_and_is_told_as_it_says():
    rows = [row for row in tables(ROOT / "docs" / "topics.md", 4) if row[2].startswith("`")]
    assert [setting.strip("`") for setting, *_ in rows] == list(CAMERA_SETTINGS)
    for setting, payload, state, _ in ([cell.strip("`") for cell in row] for row in rows):
        value = getattr(with_setting(Overrides(), setting, payload.encode()), setting)
        assert encode_setting(value).decode() == state


HOME = """
cameras:
  front_door: {source: "test://", fps: 1}
state: STATE
"""


async def test_what_the_documents_set_and_ask_with_mosquitto_is_done(ports, tmp_path):
    """As mosquitto_pub would say it, to a gateway with that camera and an edge of that name."""
    lines = [shlex.split(line) for line in commands(ROOT / "docs" / "topics.md")]
    assert {words[0] for words in lines} == {"mosquitto_pub", "mosquitto_rr"}
    file = tmp_path / "home.yaml"
    file.write_text(HOME.replace("STATE", str(tmp_path)))
    gateway = words_of(f"deepthings gateway --config {file} --port 1883", ports)
    edge = words_of(f"deepthings edge --gateway 127.0.0.1:1883 --name attic --cache {tmp_path}", ports)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(running(gateway, SERVICES["gateway"]))
        await stack.enter_async_context(running(edge, SERVICES["edge"]))
        client = aiomqtt.Client(LOOPBACK, int(ports["1883"]), protocol=aiomqtt.ProtocolVersion.V5)
        await stack.enter_async_context(client)
        for topic in ("my/answers", "deepthings/bridge/response/+", "deepthings/cameras/front_door/+/state"):
            await client.subscribe(topic, qos=1)
        for words in lines:
            await say(client, words)
            where, payload = await answer_to(client, words)
            if where.endswith("/state"):  # what held before may be told once more, as to Home Assistant
                async with asyncio.timeout(10):
                    while payload != told_of(words):
                        _, payload = await answer_to(client, words)
            else:
                assert Response.model_validate_json(payload).ok, payload
        await client.publish("deepthings/bridge/request/nothing", qos=1)
        _, payload = await answer_to(client, ["", "-t", "deepthings/bridge/request/nothing"])
        documented = sorted(command.strip("`") for command, *_ in tables(ROOT / "docs" / "topics.md", 3))
        assert Response.model_validate_json(payload).error.endswith(f"valid requests: {', '.join(documented)}")


async def say(client, words):
    """What one of Mosquitto's clients publishes when it is called so."""
    payload = words[words.index("-m") + 1] if "-m" in words else b""
    assert ("-m" in words) is not ("-n" in words)
    properties = Properties(PacketTypes.PUBLISH)
    if words[0] == "mosquitto_rr":
        properties.ResponseTopic = words[words.index("-e") + 1]
    qos = int(words[words.index("-q") + 1])
    await client.publish(words[words.index("-t") + 1], payload, qos=qos, properties=properties)


async def answer_to(client, words):
    """Where the answer came, and what it is; what is told for other reasons is passed over."""
    asked = words[words.index("-t") + 1]
    if words[0] == "mosquitto_rr":
        wanted = words[words.index("-e") + 1]
    elif asked.endswith("/set"):
        wanted = f"{asked.removesuffix('set')}state"
    else:
        wanted = asked.replace("/request/", "/response/")
    async with asyncio.timeout(10):
        async for message in client.messages:
            if str(message.topic) == wanted and not message.retain:
                return wanted, message.payload
    raise AssertionError("the broker went away")


def told_of(words):
    """What a camera's state is after that."""
    setting = words[words.index("-t") + 1].split("/")[-2]
    if "-n" in words:
        return {"detect": b"ON"}[setting]
    return encode_setting(getattr(with_setting(Overrides(), setting, words[words.index("-m") + 1].encode()), setting))


def test_every_reason_for_a_drop_is_explained():
    text = (ROOT / "docs" / "topics.md").read_text()
    reasons = set(re.findall(r"^\| `(\w+)` \| [a-z]", text, re.MULTILINE))
    assert reasons == {str(outcome) for outcome in Outcome} - {"published"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_link_of_a_document_is_broken(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target
