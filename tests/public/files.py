"""What is kept on disk, and what is read from it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import pytest

from benchmarks.campaign import RESULTS_FILE, RESULTS_TABLE_FILE
from benchmarks.page import PAGE_FILE
from benchmarks.setting import Measurement
from camera_sources.camera_settings import TOKEN_VARIABLE
from camera_sources.urls.schemes import BUILT_IN_SOURCES, ENTRY_POINT_GROUP, FILE_SCHEME
from edge.computing.programs import ProgramCache
from gateway.authority.authority import KEYS_FOLDER, Authority
from gateway.authority.member_store import MemberStore
from gateway.backup.manifest import BACKUP_FORMAT, BackupItem, BackupManifest, BackupPlace
from gateway.backup.manifest import MANIFEST_NAME as BACKUP_MANIFEST
from gateway.broker.mosquitto import MOSQUITTO
from gateway.cameras.overrides import Overrides, OverridesFile
from gateway.cameras.registry import CameraRegistry
from gateway.cameras.revisions import Revisions
from gateway.configuration.reading.secret_file import SECRETS_FILE_NAME as SECRETS
from gateway.configuration.root import Configuration, default_state_folder
from gateway.configuration.schema import configuration_schema
from gateway.init.documents import SCHEMA_FILE_NAME
from gateway.integrations.home_assistant.announcer import Announcer
from gateway.models.catalogue import built_in_models
from gateway.observation.scene_store import SceneStore
from gateway.retained.retained_topics import RetainedTopics
from gateway.state.state_folder import StateFolder
from gateway.state.state_lock import hold_folder
from shared.detection.decoding.recognition import FAMILIES
from shared.engine.opening import TileKinds, open_engine
from shared.engine.program_manifest import MANIFEST_FILE
from shared.engine.program_manifest import PROGRAM_FORMAT as PREPARED_FORMAT
from shared.files.program_folder import default_cache
from shared.ftp.grid import Grid
from shared.model.spec import ModelSpec
from shared.network.addresses import Address
from shared.network.announcement import CLUSTER_FIELD, SERVICE_TYPE
from shared.network.ports import CLUSTER_PORT, DATA_PORT, JOIN_PORT, PUBLIC_PORT, PUBLIC_TLS_PORT
from shared.plan.plan import ProgramRef
from shared.security.key_folder import default_key_folder, store_gateway
from shared.systemd.accounts import SERVICE_USER, ServiceAccount
from shared.systemd.notification import MANAGER_VARIABLES
from shared.systemd.unit import ENVIRONMENT_FILE, SERVICE_ROLES, Unit, unit_name
from shared.systemd.units import UNITS_FOLDER
from shared.wire.wire_traffic import WireTraffic
from tests.networks import ModelBuilder
from tests.public.shapes import plain, schema_of, shape_of
from tests.unit.gateway.buses import StandInBus
from tests.unit.shared.engine.running import build_stage

if TYPE_CHECKING:
    from gateway.state.state_file import StateFile

PROJECT = Path(__file__).parents[2] / "pyproject.toml"

NOWHERE = Address("10.0.0.1", 1)


class _Folder(StateFolder):
    """Remembers which files are asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.described: dict[str, Any] = {}

    def register_file(
        self, name: str, kind: Any, lost: str, *, durable: bool = True, version: int = 1
    ) -> StateFile[Any]:
        self.described[name] = {"version": version, "content": schema_of(kind)}
        return super().register_file(name, kind, lost, durable=durable, version=version)


def state(folder: Path) -> dict[str, Any]:
    """Describe the state folder of a gateway."""
    kept = _Folder(folder)
    MemberStore(kept, ())
    keys = Authority(folder / KEYS_FOLDER)
    keys.own_node("gateway")
    store_gateway(keys.own_node("gateway").folder, NOWHERE)
    bus: Any = StandInBus()
    nothing: Any = dict
    CameraRegistry(Configuration(), kept, bus, NOWHERE, lambda _: None, lambda _: None)
    SceneStore(kept)
    RetainedTopics(kept)
    Announcer(nothing, nothing, nothing, kept)
    OverridesFile(kept).set_overrides("door", Overrides(detect=False))
    written = json.loads(next(folder.glob("*.json")).read_bytes())
    Revisions(folder)
    with hold_folder(folder):
        names = sorted(path.name for path in folder.iterdir())
    return {
        "files": kept.described,
        "envelope": shape_of(written),
        "found after a camera was set": names,
        "keys": sorted(str(path.relative_to(folder)) for path in keys.folder.rglob("*") if path.is_file()),
        "key of revisions, bytes": sorted(path.stat().st_size for path in folder.glob("*.key")),
    }


def programs() -> dict[str, Any]:
    """Describe the program of a stage, as a gateway sends it to edges of the release before and after, too."""
    build = ModelBuilder(24, 24)
    cut = build.conv(build.conv("image", 8, 3, pads=[1] * 4), 8, 3, pads=[1] * 4)
    _, program = build_stage(build.model(cut), [cut], Grid(2, 2), reuse=True)
    model = onnx.load_from_string(program)
    return {
        "inputs": [each.name for each in model.graph.input],
        "outputs": [each.name for each in model.graph.output],
        "properties": {each.key: each.value for each in model.metadata_props},
    }


def cache(folder: Path) -> dict[str, Any]:
    """Describe the folder of programs of an edge, with one that was prepared for this machine."""
    build = ModelBuilder(16, 16)
    cut = build.conv("image", 8, 3, pads=[1] * 4)
    stage, program = build_stage(build.model(cut), [cut], Grid(1, 2))
    sha256 = hashlib.sha256(program).hexdigest()
    (folder / f"{sha256}.onnx").write_bytes(program)
    reference = ProgramRef(sha256=sha256, bytes=len(program))
    cached = ProgramCache(folder, WireTraffic())
    found = asyncio.run(cached.get_program(reference, NOWHERE))  # one that is there is not fetched
    asyncio.run(open_engine(found, TileKinds(stage.forms, 10**6), folder))
    (prepared,) = (path for path in folder.iterdir() if path.is_dir())
    outer = json.loads((prepared / MANIFEST_FILE).read_bytes())
    return {
        "format": PREPARED_FORMAT,
        "files": sorted(_without_hashes(str(path.relative_to(folder))) for path in folder.rglob("*")),
        "manifest": {**shape_of(outer), "manifest": shape_of(json.loads(outer["manifest"]))},
    }


def _without_hashes(name: str) -> str:
    return re.sub(r"\b[0-9a-f]{32,}\b", lambda found: f"<{len(found[0])} hexadecimal digits>", name)


def backup() -> dict[str, Any]:
    """Describe the list of files in a backup, and how its members are called."""
    places: tuple[BackupPlace, ...] = ("configuration", "beside", "state", "environment", "elsewhere")
    return {
        "format": BACKUP_FORMAT,
        "manifest": schema_of(BackupManifest),
        "members": [
            BACKUP_MANIFEST,
            *(BackupItem(place=each, path="a/b", mode=0o600, size=1).member for each in places),
        ],
    }


def bench() -> dict[str, Any]:
    """Describe the folder of a bench, which goes on with what it finds there."""
    return {"files": sorted([RESULTS_FILE, RESULTS_TABLE_FILE, PAGE_FILE]), "a measurement": schema_of(Measurement)}


def configuration() -> Any:
    """Describe the configuration file."""
    return plain(configuration_schema())


def names() -> dict[str, Any]:
    """Describe names of files, variables, ports and entry points that people or other programs rely on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", "/xdg")
        patch.setenv("XDG_CACHE_HOME", "/xdg")
        folders = {"XDG_STATE_HOME": str(default_state_folder()), "XDG_CACHE_HOME": str(default_cache())}
        folders["XDG_STATE_HOME, identity of a device"] = str(default_key_folder())
        barn = Configuration.model_validate({"mqtt": {"topic_prefix": "barn/things"}})
        folders["XDG_STATE_HOME, topic_prefix barn/things"] = str(barn.state)
    project = tomllib.loads(PROJECT.read_text("utf-8"))["project"]
    return {
        "distribution": project["name"],
        "console scripts": sorted(project["scripts"]),
        "extras": sorted(project["optional-dependencies"]),
        "files of the configuration": sorted([SECRETS, SCHEMA_FILE_NAME]),
        "folders below /xdg": folders,
        "environment of agents": TOKEN_VARIABLE,
        "environment by systemd": sorted(MANAGER_VARIABLES),
        "ports": {
            "public": PUBLIC_PORT, "public, encrypted": PUBLIC_TLS_PORT, "cluster": CLUSTER_PORT, "data": DATA_PORT,
            "join": JOIN_PORT,
        },
        "announcement by mDNS": {"service": SERVICE_TYPE, "text": CLUSTER_FIELD},
        "entry points of camera sources": ENTRY_POINT_GROUP,
        "schemes of sources": sorted({*BUILT_IN_SOURCES, FILE_SCHEME}),
        "built-in models": sorted(built_in_models()),
        "decoders": sorted(FAMILIES),
        "description of a model": schema_of(ModelSpec),
        "mosquitto.conf": _settings(files(MOSQUITTO).joinpath("mosquitto.conf").read_text()),
    }  # fmt: skip


def services() -> dict[str, Any]:
    """Describe the units of systemd."""
    made = Unit(
        "camera",
        Path("/opt/bin/deepthings"),
        ("--name", "yard", "--source", "rtsp://$h/%s x"),
        SERVICE_USER,
        camera="yard",
    )
    of_user = Unit(
        "edge", Path("/opt/bin/deepthings"), (), "me", ("video",), folder=Path("/home/me"), own_folders=False
    )
    gateway = Unit(
        "gateway", Path("/opt/bin/deepthings"), ("--config", "/etc/d.yaml"), SERVICE_USER, environment={"A": "b c"}
    )
    return {
        "roles": sorted(SERVICE_ROLES),
        "names": [unit_name("gateway"), unit_name("edge"), unit_name("camera", "yard")],
        "folder": str(UNITS_FOLDER),
        "environment file": str(ENVIRONMENT_FILE),
        "user": SERVICE_USER,
        "environment of that user": ServiceAccount(SERVICE_USER).environment(),
        "units": {unit.name: _settings(unit.text(254)) for unit in (made, of_user, gateway)},
        "before systemd 254": _settings(gateway.text(253)),
    }


def _settings(text: str) -> list[str]:
    """Return the lines that a program reads."""
    return [line for line in text.splitlines() if line and not line.startswith(("#", "Description="))]
