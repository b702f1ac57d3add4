"""The sections model and cluster, and the top level of the configuration file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from gateway.configuration.automation import FrigateSection, HomeAssistantSection, HooksSection
from gateway.configuration.cameras import CameraSection
from gateway.configuration.mqtt import MqttSection
from gateway.configuration.names import ConfiguredHost, ConfiguredName, require_distinct
from gateway.configuration.objects import ObjectsSection
from gateway.configuration.page_section import PageSection
from gateway.configuration.paths import LocalPath, resolve_path
from gateway.configuration.profile_sections import MAX_PROFILES, ProfileSection
from gateway.models.catalogue import DEFAULT_MODEL
from gateway.planning.methods import Method
from shared.errors import ConfigurationError
from shared.ftp.grid import Grid
from shared.mqtt.topic_kinds import DEFAULT_PREFIX
from shared.network.ports import CLUSTER_PORT, CLUSTER_TLS_PORT, DATA_PORT, JOIN_PORT
from shared.settings.durations import Seconds
from shared.settings.section import Section
from shared.settings.threads import AUTO_THREADS, ThreadCount
from shared.wire.map_values import MapType

MAX_TILES_PER_SIDE = 99
"""Rows or columns of a grid; the largest maps at a cut have a hundred rows and columns."""

MODEL_FILES = frozenset({".onnx", ".cfg"})


def default_state_folder() -> Path:
    """Return the default state folder."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "deepthings"


def resolve_model(name: str, info: ValidationInfo) -> str:
    """Return the name of a built-in model unchanged, and the path of a file resolved."""
    return str(resolve_path(Path(name), info)) if Path(name).suffix in MODEL_FILES else name


def check_grid(written: object) -> str:
    """Return a grid as ROWSxCOLUMNS. Raises ValueError if it is invalid or too large."""
    try:
        grid = Grid.parse(str(written))
    except ConfigurationError as error:
        raise ValueError("invalid grid; write rows x columns, for example 3x3") from error
    if max(grid.rows, grid.columns) > MAX_TILES_PER_SIDE:
        raise ValueError(f"too many tiles; write at most {MAX_TILES_PER_SIDE}x{MAX_TILES_PER_SIDE}")
    return str(grid)


GridText = Annotated[
    str, BeforeValidator(check_grid), WithJsonSchema({"type": "string", "pattern": r"^\d{1,2}[xX]\d{1,2}$"})
]


OpenCluster = Literal["until joined", "always", "never"]


class ModelSection(Section):
    """The network: a built-in one, an ONNX file, or a Darknet .cfg with its weights."""

    path: Annotated[str, AfterValidator(resolve_model)] = DEFAULT_MODEL
    """A built-in model's name, an .onnx file, or a Darknet .cfg."""
    weights: LocalPath | None = None
    """The weights of a .cfg; by default the .weights file beside it."""
    cut: str | None = None
    """The layer behind which the network is cut; by default the model's own cut, or the best one."""


class ClusterSection(Section):
    """Division and distribution of frames."""

    method: Method = Method.AUTO
    """The method of division and distribution, see docs/methods.md."""
    grid: GridText | None = None
    """Rows x columns of tiles; the default depends on the method, in most cases 3x3."""
    policy: Literal["fewest-frames", "round-robin", "longest-queue"] = "fewest-frames"
    """The edge that idle edges steal from."""
    listen: ConfiguredHost = "127.0.0.1"
    """The address that the gateway and its own broker listen on; `0.0.0.0` is every IPv4 address, `::` every IPv6."""
    port: int = Field(default=CLUSTER_PORT, ge=1, le=65535)
    """The port of the gateway's own broker for edges, as in their option `--gateway`."""
    tls_port: int = Field(default=CLUSTER_TLS_PORT, ge=1, le=65535)
    """Its encrypted port, for edges that have joined; not opened on loopback, where no other device is."""
    data_port: int = Field(default=DATA_PORT, ge=0, le=65535)
    """The port for tiles; 0: any free port."""
    join_port: int = Field(default=JOIN_PORT, ge=1, le=65535)
    """The port at which devices join; open only while an invitation is, for an hour after `deepthings invite`."""
    announce: bool = True
    """Announcement of a gateway with keys on its network, so that edges find it at a new address."""
    open: OpenCluster = "until joined"
    """Admission of edges without keys; `until joined`: those of an earlier release, until `deepthings close`."""
    lease: Seconds = Field(default=1.0, ge=0.1, le=60)
    """Seconds after which another edge computes a stolen tile again."""
    deadline: Seconds = Field(default=10.0, ge=0.5, le=600)
    """Seconds after which a frame is dropped."""
    maps: MapType = "float32"
    """The type of tiles' results on the wire: float32 is exact, float16 has half of the bytes."""
    compute: bool = True
    """With method auto, the gateway's own cores compute frames, unless an edge runs on its machine."""
    threads: ThreadCount = Field(default=AUTO_THREADS, validate_default=True)
    """Threads of the gateway's computing; auto: one for each core that it may use."""
    max_cores: int | None = Field(default=None, ge=1)
    """Cores that the gateway computes on at most; leaves the others to other programs."""


class Configuration(Section):
    """One gateway and its cameras."""

    mqtt: MqttSection = MqttSection()
    """The broker of the house."""
    model: ModelSection = ModelSection()
    """The network."""
    cluster: ClusterSection = ClusterSection()
    """Division and distribution of frames."""
    objects: ObjectsSection = ObjectsSection()
    """Labels and filters of all cameras without their own."""
    cameras: Annotated[dict[ConfiguredName, CameraSection], AfterValidator(require_distinct)] = Field(
        default_factory=dict
    )
    """Cameras by name; topics contain the name."""
    profiles: Annotated[dict[ConfiguredName, ProfileSection], AfterValidator(require_distinct)] = Field(
        default_factory=dict, max_length=MAX_PROFILES
    )
    """Profiles by name, such as home and away; until another one is chosen, the first applies."""
    home_assistant: HomeAssistantSection = HomeAssistantSection()
    """Discovery by Home Assistant."""
    frigate_compat: FrigateSection = FrigateSection()
    """The topics of Frigate."""
    page: PageSection = PageSection()
    """The page for a browser."""
    hooks: HooksSection = HooksSection()
    """Webhooks and commands for events."""
    state: LocalPath = Field(default=Path("~/.local/state/deepthings"), validate_default=True)
    """The folder for state that is kept over restarts, such as open events; another `topic_prefix` has its own."""

    @model_validator(mode="after")
    def _keep_gateways_apart(self) -> Self:
        """Give each topic prefix its own state folder, so that two gateways on one machine do not share their state."""
        if "state" not in self.model_fields_set:
            own = "" if self.mqtt.topic_prefix == DEFAULT_PREFIX else self.mqtt.topic_prefix.replace("/", ".")
            object.__setattr__(self, "state", default_state_folder() / own)
        return self

    def objects_of(self, camera: str) -> ObjectsSection:
        """Return the section objects that applies to a camera."""
        return self.cameras[camera].objects or self.objects
