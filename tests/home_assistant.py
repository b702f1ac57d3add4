"""A real Home Assistant for tests: started on a folder, asked over its own interfaces."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiomqtt

from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.network.addresses import LOOPBACK
from shared.process.children import parent_death_prefix, stop_process
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from shared.network.addresses import Address

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 20.0
LOOK_AGAIN_S = 0.2
"""How often its states are asked for until they are right."""

CONFIGURATION = """
homeassistant:
  name: Test
  time_zone: UTC
  auth_providers:
    - type: command_line
      command: {command}
http:
  server_host: {host}
  server_port: {port}
api:
config:
websocket_api:
automation: !include automations.yaml
automation examples: !include_dir_merge_list examples
light:
notify:
  - platform: group
    name: mobile_app_front_door
    services:
      - service: persistent_notification
logger:
  default: warning
system_log:
"""

END_OF_RETAINED = "test/end"

CLIENT = "http://127.0.0.1/"


class HomeAssistant:
    """One that runs on `folder`, on a port of its own, with a user for the tests."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._python = python
        self._process: asyncio.subprocess.Process | None = None
        self._token = ""
        self._bare: frozenset[str] = frozenset()
        self._log_begins = 0
        self.version: tuple[int, ...] = ()
        (folder / "examples").mkdir(parents=True)
        (folder / "automations.yaml").write_text("[]\n")
        (folder / "configuration.yaml").write_text(
            CONFIGURATION.format(host=LOOPBACK, port=self.port, command=shutil.which("true"))
        )

    @property
    def log(self) -> str:
        """What it has said since `forget`, or since its start."""
        return (self.folder / "output.log").read_bytes()[self._log_begins :].decode()

    async def forget(self, broker: Address) -> None:
        """Make it as it was before anything was published or automated: for the next test."""
        for file in (self.folder / "examples").iterdir():
            file.unlink()
        (self.folder / "automations.yaml").write_text("[]\n")
        await self.call("automation.reload")
        automations = [entity for entity in await self.states() if entity.startswith("automation.")]
        await self.ask(*({"type": "config/entity_registry/remove", "entity_id": entity} for entity in automations))
        await forget_retained(broker)
        await self.until("the end of all entities", self._is_bare)
        await self._log_is_written()

    async def _log_is_written(self) -> None:
        """Wait until all that it had to say is in its log, which a thread of its own writes; forget it."""
        mark = f"forgotten {time.monotonic_ns()}"
        await self.call("system_log.write", message=mark, level="warning")

        async def written() -> bool:
            return mark in self.log

        await self.until("its log", written)
        self._log_begins = (self.folder / "output.log").stat().st_size

    async def _is_bare(self) -> bool:
        return (await self.states()).keys() <= self._bare

    async def start(self) -> None:
        """Start, and wait until it says that it runs."""
        with (self.folder / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *parent_death_prefix(), str(self._python), "-m", "homeassistant", "--config", str(self.folder),
                "--skip-pip", stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        await self.until("Home Assistant's start", self._runs, START_TIMEOUT_S)

    async def stop(self) -> None:
        if self._process is not None:
            await stop_process(self._process, STOP_TIMEOUT_S)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def set_up_mqtt(self, broker: Address, login: Login = ANONYMOUS) -> None:
        """As a person does it: add the integration, name the broker, and log in."""
        said = {"broker": broker.host, "port": broker.port}
        if login.username is not None:
            said |= {"username": login.username, "password": login.password}
        flow = await self.post("config/config_entries/flow", {"handler": "mqtt"})
        done = await self.post(f"config/config_entries/flow/{flow['flow_id']}", said)
        assert done["type"] == "create_entry", done
        self._bare = frozenset(await self.states())

    async def set_up_mjpeg(self, name: str, url: str) -> dict[str, Any]:
        """As a person does it: add the integration, and paste the address; return what Home Assistant says."""
        said = {"name": name, "mjpeg_url": url, "password": "", "verify_ssl": False}
        flow = await self.post("config/config_entries/flow", {"handler": "mjpeg"})
        done: dict[str, Any] = await self.post(f"config/config_entries/flow/{flow['flow_id']}", said)
        return done

    async def states(self) -> dict[str, dict[str, Any]]:
        """All entities by id: `state` and `attributes`."""
        return {each["entity_id"]: each for each in json.loads(await self.get("states"))}

    async def until(self, what: str, condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
        """Ask until the awaited `condition()` holds; returns what it gave."""
        deadline = time.monotonic() + timeout_s  # a time-out of asyncio can be lost in what the condition awaits
        while not (said := await condition()):
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not happen in {timeout_s:.0f} s; Home Assistant: {self.log}")
            await asyncio.sleep(LOOK_AGAIN_S)
        return said

    async def until_states(self, timeout_s: float = 15.0, **wanted: str | None) -> dict[str, dict[str, Any]]:
        """Until these entities, written with __ for the dot, have these states; None is for one that is gone."""
        expected = {name.replace("__", ".", 1): state for name, state in wanted.items()}
        seen: dict[str, Any] = {}

        async def right() -> bool:
            seen.clear()
            seen.update(await self.states())
            return {name: seen[name]["state"] if name in seen else None for name in expected} == expected

        try:
            await self.until(f"{expected}", right, timeout_s)
        except AssertionError as error:
            found = {name: seen.get(name, {}).get("state") for name in expected}
            raise AssertionError(f"{error}\nlast seen: {found}\nall: {sorted(seen)}") from None
        return seen

    async def call(self, service: str, **data: object) -> None:
        """Call a service, as `switch.turn_off`."""
        await self.post(f"services/{service.replace('.', '/')}", data)

    async def ask(self, *commands: dict[str, Any]) -> list[Any]:
        """The answers to commands of the WebSocket interface."""
        script = Path(__file__).with_name("home_assistant_socket.py")
        url = f"ws://{LOOPBACK}:{self.port}/api/websocket"
        process = await asyncio.create_subprocess_exec(
            str(self._python), str(script), url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        words = json.dumps({"token": self._token, "commands": commands}).encode()
        output, _ = await asyncio.wait_for(process.communicate(words), REQUEST_TIMEOUT_S)
        assert process.returncode == 0
        answers: list[Any] = json.loads(output)
        return answers

    async def get(self, path: str) -> bytes:
        """The body of an address below /api."""
        return await asyncio.to_thread(self._request, f"/api/{path}", None, "application/json")

    async def post(self, path: str, data: object) -> Any:
        body = json.dumps(data).encode()
        return json.loads(await asyncio.to_thread(self._request, f"/api/{path}", body, "application/json"))

    async def automate(self, name: str, trigger: dict[str, Any], action: dict[str, Any]) -> None:
        """Add an automation, as the editor does."""
        automation = {"alias": name, "trigger": [trigger], "action": [action], "mode": "queued"}
        assert (await self.post(f"config/automation/config/{name}", automation))["result"] == "ok"
        await self.until_states(15.0, **{f"automation__{name}": "on"})

    async def load_automations(self, file: Path) -> None:
        """Take over a file of automations. Triggers by MQTT need it to be set up."""
        shutil.copy(file, self.folder / "examples" / file.name)
        assert not await self.check_configuration()
        await self.call("automation.reload")

    def add_blueprint(self, file: Path) -> str:
        """Put a blueprint where automations find it; return the path that they name it by."""
        folder = self.folder / "blueprints" / "automation" / "deepthings"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / file.name)
        return f"deepthings/{file.name}"

    async def check_configuration(self) -> str:
        """Home Assistant's own errors in its configuration, automations included; empty where it has none."""
        answer = await self.post("config/core/check_config", {})
        return str(answer["errors"] or "")

    def _request(self, path: str, body: bytes | None, kind: str) -> bytes:
        request = urllib.request.Request(f"http://{LOOPBACK}:{self.port}{path}", body)
        request.add_header("Content-Type", kind)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{path}: {error.code} {error.read().decode(errors='replace')}") from None

    async def _runs(self) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, self.log
        with contextlib.suppress(OSError, AssertionError):
            if not self._token:
                self._token = await asyncio.to_thread(self._log_in)
            said = json.loads(await self.get("config"))
            self.version = tuple(int(part) for part in said["version"].split(".")[:2])
            return bool(said["state"] == "RUNNING")
        return False

    def _log_in(self) -> str:
        """The first who logs in owns it."""
        asked = {"client_id": CLIENT, "handler": ["command_line", None], "redirect_uri": CLIENT}
        flow = json.loads(self._request("/auth/login_flow", json.dumps(asked).encode(), "application/json"))
        answer = {"client_id": CLIENT, "username": "test", "password": "test"}
        path = f"/auth/login_flow/{flow['flow_id']}"
        done = json.loads(self._request(path, json.dumps(answer).encode(), "application/json"))
        form = {"client_id": CLIENT, "grant_type": "authorization_code", "code": done["result"]}
        words = self._request("/auth/token", urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded")
        return str(json.loads(words)["access_token"])


async def forget_retained(broker: Address) -> None:
    """Clear everything that the broker has retained, discovery first: an entity cannot read an empty state."""
    async with aiomqtt.Client(*broker, identifier="forgetting") as client, asyncio.timeout(REQUEST_TIMEOUT_S):
        await client.subscribe("#", qos=1)
        await client.publish(END_OF_RETAINED, b"end", qos=1)  # comes behind all that is retained
        retained = []
        async for message in client.messages:
            if str(message.topic) == END_OF_RETAINED:
                break
            if message.retain:
                retained.append(str(message.topic))
        for topic in sorted(retained, key=lambda topic: not topic.startswith("homeassistant/")):
            await client.publish(topic, b"", retain=True)
        await client.publish(END_OF_RETAINED, b"end", qos=1)  # whoever has this has all before


@contextlib.asynccontextmanager
async def running_home_assistant(python: Path, folder: Path) -> AsyncIterator[HomeAssistant]:
    """A Home Assistant, for as long as the context lasts."""
    home = HomeAssistant(python, folder)
    try:
        await home.start()
        yield home
    finally:
        await home.stop()
