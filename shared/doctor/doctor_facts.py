"""The facts that the doctor finds out; a fact is None if it could not be found out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.network.addresses import Address
    from shared.payloads.cluster import NodeState
    from shared.payloads.frames import FrameCounts
    from shared.plan.plan import PlanOffer
    from shared.security.member_list import Member, MemberList
    from shared.status.cluster_facts import ClusterFacts


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The keys of this device. `member` is None without keys; `fault` is the reason why they cannot be used."""

    folder: str
    member: Member | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class NameAnswer:
    """The addresses that a name stands for, or the reason why it has none."""

    addresses: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PortAnswer:
    """The result of connecting to a port. `reason` says why that failed; it is empty if the port is open.

    `alive`: the host answered, at least by refusing the connection. `others`: the usual ports of a gateway that are
    open on this host.
    """

    reason: str = ""
    alive: bool = True
    others: tuple[int, ...] = ()


class BrokerReply(Enum):
    """The reply of a port to a client of MQTT."""

    CONNECTED = "connected"
    REFUSED = "the login is refused"
    OTHER_CLUSTER = "it is the broker of another cluster"
    PLAIN = "a broker that does not encrypt"
    ENCRYPTED = "it speaks TLS"
    NO_BROKER = "another program listens there"
    SILENT = "it does not answer"


@dataclass(frozen=True, slots=True)
class BrokerAnswer:
    """The reply of a broker, its reason in words, and the user who logged in (None: anonymous)."""

    reply: BrokerReply
    reason: str = ""
    user: str | None = None


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """The result of sending a message to ourselves: whether it `came` back, or why the broker `refused` it."""

    topic: str
    came: bool
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ReachAnswer:
    """The result of connecting to a data plane. `reason` says why that failed; it is empty if it was reached.

    `bytes_per_s` is the measured rate of the link; 0 if it was not measured.
    """

    address: str
    reason: str = ""
    bytes_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """Facts about this device. Sizes are in bytes; None and 0 stand for unknown values.

    `cache` is the folder of programs, `cache_fault` the reason why they cannot be written, `disk_free` the space on its
    disk. This process may use `usable_cores` of all `cores`. `throttled` are the flags of a Raspberry Pi's firmware.
    `memory_limit` is the limit of the control group `memory_limited_by`; if it is None there is no limit, or, with
    `memory_limit_known` False, the limit is unknown.
    """

    network: str = ""
    cache: str = ""
    cache_fault: str = ""
    disk_free: int | None = None
    memory_free: int | None = None
    memory_total: int | None = None
    cores: int = 0
    usable_cores: float = 0.0
    throttled: int | None = None
    memory_limit: int | None = None
    memory_limited_by: str = ""
    memory_limit_known: bool = True


@dataclass(slots=True)
class Facts:
    """All that was found out. `at` is in seconds since 1970.

    `page` is empty if the gateway's page answers at `page_address`, else the reason why it does not; None if it was not
    asked. `on_gateway`: this is the gateway's own machine. `earlier` are the frame counts of the cameras that are
    online, some seconds before those in `cluster`.
    """

    gateway: Address
    prefix: str
    at: float = 0.0
    own_release: str = ""
    keys: OwnKeys | None = None
    name: NameAnswer | None = None
    port: PortAnswer | None = None
    broker: BrokerAnswer | None = None
    echo: EchoAnswer | None = None
    cluster: ClusterFacts | None = None
    members: MemberList | None = None
    plan: PlanOffer | None = None
    nodes: Mapping[str, NodeState] = field(default_factory=dict)
    earlier: Mapping[str, FrameCounts] = field(default_factory=dict)
    device: DeviceFacts | None = None
    gateway_data: ReachAnswer | None = None
    edges_data: Mapping[str, ReachAnswer] = field(default_factory=dict)
    page: str | None = None
    page_address: Address | None = None
    on_gateway: bool = False
