"""The gateway as a process: builds its parts, connects them with the brokers, and handles signals."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from gateway.authority.administration import Administration
from gateway.authority.authority import needs_keys
from gateway.authority.broker_logins import open_broker_access
from gateway.authority.cluster_announcer import announcer_for
from gateway.authority.cluster_keys import begin_without_keys, open_cluster_keys
from gateway.authority.join_admission import ClusterAccess
from gateway.authority.user_administration import UserAdministration
from gateway.broker.house_broker import HouseBroker
from gateway.broker.login_problems import LoginProblems
from gateway.broker.mosquitto import OwnBroker, own_broker
from gateway.broker.node_rates import NodeRates
from gateway.broker.planes import Planes
from gateway.cluster.cluster import Cluster
from gateway.cluster.data_plane import DataPlane
from gateway.cluster.own_node import OwnNode
from gateway.cluster.trace_collector import TraceCollector
from gateway.home import Home
from gateway.membership.former_members import FormerMembers
from gateway.membership.members import Membership
from gateway.membership.name_conflicts import ContestedNames
from gateway.membership.prober import Prober
from gateway.models.model_process import open_model_apart
from gateway.page.gateway_page import GatewayPage
from gateway.page.page_door import open_page_door
from gateway.page.waiting_nodes import Entrants
from gateway.page.web_server import WebServer
from gateway.planning.methods import Method
from gateway.planning.partitioned import partitions_of
from gateway.state.state_lock import hold_folder
from shared.errors import DeepThingsError
from shared.mqtt import topics
from shared.mqtt.broker_health import BrokerHealth
from shared.mqtt.broker_login import ANONYMOUS
from shared.mqtt.bus import Bus
from shared.mqtt.client_ids import OWN_NODE, gateway_client_id, unguessable
from shared.mqtt.name_claim import NameOwner, OwnedName
from shared.mqtt.outgoing import Outgoing
from shared.mqtt.own_state import OwnState
from shared.network.addresses import Address, advertised_address, local_address
from shared.payloads.cluster import BridgeState, NameClaim, State
from shared.payloads.versions import PROTOCOL, UNDERSTOOD_PROTOCOLS
from shared.process.lifecycle import installed_version, run_together
from shared.security.data_security import DataSecurity
from shared.systemd import notification
from shared.wire.wire_traffic import WireTraffic

if TYPE_CHECKING:
    from gateway.authority.cluster_keys import ClusterKeys
    from gateway.broker.broker_access import BrokerAccess
    from gateway.options import GatewayOptions
    from gateway.page.page_door import PageDoor
    from shared.mqtt.broker_login import Login
    from shared.payloads.bridge import BridgeInfo

log = logging.getLogger(__name__)

INSECURE = (
    "the gateway has no keys, as it was started with --insecure: everybody who can reach it can see the cameras, and "
    "send wrong results"
)


class Gateway:
    """Builds the parts of a gateway, connects them with the brokers, and runs them until it is stopped."""

    def __init__(self, options: GatewayOptions) -> None:
        """Load the model and listen. Raises ModelError, CutError, ConfigurationError, ListenError."""
        self._options = options
        configuration, prefix = options.configuration, options.configuration.mqtt.topic_prefix
        model = open_model_apart(options.model, options.weights)
        self._partitions = partitions_of(model, options.method, options.grid_for(1), options.cut)
        cluster_broker = local_address(Address(options.host, options.cluster_port))
        self._public_broker = options.broker or cluster_broker
        self._keys = self._open_keys()
        security = None if self._keys is None else data_security(self._keys)
        self._data = DataPlane(Address(options.host, options.data_port), WireTraffic(security))
        members, listening = Membership(cluster_broker), advertised_address(self._data.address, cluster_broker)
        self._access = None if self._keys is None else open_broker_access(
            self._keys, configuration.state, options.broker_places, options.public_topics
        )  # fmt: skip
        own_login = ANONYMOUS if self._access is None else self._access.login
        house_health = BrokerHealth(f"broker {options.broker}")
        self._name_owner = self._make_name_owner(own_login, house_health)
        self._own_state = OwnState(lambda: self._state(State.ONLINE), self._publish_state)
        self._bus = self._make_bus(cluster_broker, own_login)
        self._house = None if options.broker is None else HouseBroker(
            options.broker, self._name_owner, self._state, self._on_house_connected, self._publish_house_stopping,
            login=configuration.mqtt.login, health=house_health, prefix=prefix,
        )  # fmt: skip
        self._planes = Planes(self._bus, self._house)
        self._home = Home(configuration, self._planes, members, listening, options.reload, self._info)
        self._cluster = Cluster(options, model, self._partitions, self._data, self._planes, members, self._home)
        self._own_node = self._make_own_node(members, cluster_broker)
        self._door = None if options.page is None else open_page_door(
            options.page, configuration.page, configuration.state,
            None if self._keys is None else self._keys.authority,
            None if self._access is None else self._access.users,
        )  # fmt: skip
        self._announcer = announcer_for(
            None if self._keys is None else self._keys.authority.identity, options.broker_places.edges,
            wanted=configuration.cluster.announce,
        )  # fmt: skip
        self._administration: Administration | None = None
        self._logins: LoginProblems | None = None
        if self._keys is not None and self._access is not None:
            self._administer(self._keys, self._access, members, prefix)
        self._names = ContestedNames()
        self._prober = Prober(members, lambda: listening, lambda: self._name_owner.identity, security)
        self._data.serve_settings(self._home.agent_settings, self._home.cameras.edge_of)
        traces = TraceCollector(members, self._data.traffic)
        self._data.serve_traces(traces.answer)
        self._page = None if self._door is None else self._make_page(self._door, traces)
        self._add_problem_sources()
        self._follow_topics()

    def _open_keys(self) -> ClusterKeys | None:
        """Return the cluster's keys; None if the gateway starts without keys."""
        options = self._options
        state = options.configuration.state
        if options.insecure or not needs_keys(options.host):
            begin_without_keys(state)
            return None
        return open_cluster_keys(state, OWN_NODE, options.open_cluster)

    def _make_name_owner(self, own_login: Login, house_health: BrokerHealth) -> NameOwner:
        """Return the owner of the gateway's name: at the house's broker or, if there is none, at the gateway's own."""
        house, mqtt = self._options.broker, self._options.configuration.mqtt
        client_id = mqtt.client_id or gateway_client_id(mqtt.topic_prefix)
        return NameOwner(
            self._public_broker,
            name_to_claim(client_id if house else unguessable(client_id, own_login), house, mqtt.topic_prefix),
            mqtt.topic_prefix, login=mqtt.login if house else own_login, health=house_health if house else None,
        )  # fmt: skip

    def _make_bus(self, cluster_broker: Address, own_login: Login) -> Bus:
        """Return the connection to the gateway's own broker."""
        house, prefix = self._options.broker, self._options.configuration.mqtt.topic_prefix
        return Bus(
            cluster_broker,
            unguessable(gateway_client_id(prefix), own_login),
            will=Outgoing(topics.BRIDGE_STATE, self._state(State.OFFLINE)),
            on_connected=self._on_connected,
            on_stopping=self._publish_stopping,
            prefix=prefix,
            owner=None if house else self._name_owner,
            login=own_login,
            clears_commands=self._access is not None,
            health=BrokerHealth("the gateway's own broker") if house else None,
        )

    def _make_own_node(self, members: Membership, cluster_broker: Address) -> OwnNode | None:
        """Return the own node; None if the gateway's own cores shall not compute."""
        options = self._options
        if not options.compute or options.method is not Method.AUTO:
            return None
        if self._keys is None:
            broker, keys = cluster_broker, ["--insecure"]
        else:
            broker, keys = local_address(options.broker_places.edges), ["--keys", str(self._keys.own_node.folder)]
        prefix = options.configuration.mqtt.topic_prefix
        return OwnNode(
            members, lambda: self._name_owner.identity, broker, options.host,
            ["--threads", str(options.threads), "--topic-prefix", prefix, *keys],
        )  # fmt: skip

    def _make_page(self, door: PageDoor, traces: TraceCollector) -> WebServer:
        return WebServer(
            GatewayPage(
                self._home, self._planes, traces, lambda: self._state(State.ONLINE), self._entrants,
                lambda: self._cluster.links.current(time.monotonic()),
            ),
            door,
        )  # fmt: skip

    def _follow_topics(self) -> None:
        """Follow the claims of names, and the gateway's own retained state."""
        public = self._bus if self._house is None else self._house.bus
        public.on(topics.GATEWAY_CLAIM, self._on_claim)
        self._bus.on(topics.NODE_CLAIM, self._on_claim)
        self._bus.on(topics.BRIDGE_STATE, lambda _, state: self._own_state.on_received(state))

    def _administer(self, keys: ClusterKeys, access: BrokerAccess, members: Membership, prefix: str) -> None:
        """Build the parts of a cluster with keys: joining and revoking, logins, and their problems."""
        options, problems = self._options, self._home.problems
        administration = self._administration = Administration(
            keys, ClusterAccess(options.cluster_tls_port, prefix, self._data.address.port),
            Address(options.host, options.join_port),
            present=lambda: members.present, publish=partial(self._bus.publish, topics.MEMBERS),
        )  # fmt: skip
        problems.add_source("keys", lambda _: (*keys.files.problems, *administration.problems()))
        page = "" if self._door is None else self._door.url_beyond
        UserAdministration(access, administration.admin_server, page)
        self._logins = LoginProblems(access, NodeRates(prefix), prefix, self._cluster.lose_node)
        self._bus.on_arrival(self._logins.on_arrival)
        problems.add_source("logins", self._logins.problems)
        former = FormerMembers(keys.members.list, lambda: members.present, self._cluster.lose_node)
        keys.members.follow(former.on_members)

    def _add_problem_sources(self) -> None:
        """Add the sources of problems that are published for people."""
        problems = self._home.problems
        problems.add_source("edges", lambda _: self._cluster.problems())
        problems.add_source("names", self._names.problems)
        problems.add_source("reachability", self._prober.problems)
        problems.add_source("data plane", self._data.traffic.visitors.problems)
        if self._options.insecure:
            problems.add_source("insecure", lambda _: [INSECURE])
        if self._house is not None:
            problems.add_source("broker", self._house.problems)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`. Raises DeepThingsError for errors with which the gateway cannot work."""
        options = self._options
        if self._access is not None:
            listeners, files = self._access.listeners(), self._access.files()
        else:
            listeners, files = options.broker_places.listeners_without_keys(), {}
        with hold_folder(options.configuration.state):
            async with own_broker(*listeners, files=files) as broker:
                await self._run_parts(broker, stop)

    async def _run_parts(self, broker: OwnBroker, stop: asyncio.Event) -> None:
        if self._logins is not None:
            self._logins.broker = broker
        for partitioned in self._partitions:
            stage = partitioned.stage
            division = "whole" if stage.whole else f"up to {','.join(stage.cut)} in {stage.grid} tiles"
            log.info("gateway: %s, %s layers %s", partitioned.spec.name, len(stage.layers), division)
        log.info("gateway: data plane %s", self._data.address)
        await run_together(
            self._data.run(),
            self._cluster.run(stop),
            self._home.run(),
            self._reload_on_sighup(),
            broker.run(),
            self._own_state.run(),
            self._prober.run(),
            *([] if self._administration is None else [self._administration.run()]),
            *([] if self._access is None else [self._access.follow(broker)]),
            *([] if self._logins is None else [self._logins.run(self._bus.connected)]),
            *([] if self._own_node is None else [self._own_node.run()]),
            *([] if self._page is None else [self._page.run()]),
            *([] if self._announcer is None else [self._announcer.run()]),
            *([] if self._house is None else [self._house.run()]),
            notification.current_manager.follow_connection(self._bus.connected, "its own broker"),
            self._bus.run(),
        )

    async def _on_connected(self) -> None:
        """Publish all retained state; `bridge/state` comes last, so that an online gateway has published the rest."""
        if self._administration is not None:
            await self._administration.on_connected()
        await self._cluster.on_connected()
        await self._home.on_connected()
        await self._publish_state()

    async def _publish_stopping(self) -> None:
        if self._house is None:
            await self._home.publish_stopping()

    async def _on_house_connected(self) -> None:
        """Publish all retained state at the house's broker."""
        await self._home.on_connected()
        self._planes.republish_stats()
        self._cluster.publish_nodes_soon()

    async def _publish_house_stopping(self) -> None:
        await self._home.publish_stopping()

    async def _reload_on_sighup(self) -> None:
        """Read the configuration again at each SIGHUP, until cancelled."""
        requested = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, requested.set)
        try:
            while True:
                await requested.wait()
                await self._bus.connected.wait()  # changes must be published
                requested.clear()
                try:
                    log.info("configuration read again: %s", await self._home.reload())
                except DeepThingsError as error:
                    log.warning("the configuration is not changed: %s", error)
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _publish_state(self) -> None:
        await self._bus.publish(topics.BRIDGE_STATE, self._state(State.ONLINE))

    def _info(self) -> BridgeInfo:
        reached_at = advertised_address(Address(self._options.host, self._options.cluster_port), self._public_broker)
        return self._cluster.info().model_copy(
            update={
                "cluster_host": reached_at.host,
                "cluster_port": reached_at.port,
                "data_port": self._data.address.port,
                "insecure": self._options.insecure,
                "page_host": "" if self._door is None else self._door.address.host,
                "page_port": 0 if self._door is None else self._door.address.port,
            }
        )

    def _state(self, state: State) -> BridgeState:
        return BridgeState(
            state=state, protocol=PROTOCOL, understood=tuple(sorted(UNDERSTOOD_PROTOCOLS)), version=installed_version(),
            identity=self._name_owner.identity,
        )  # fmt: skip

    def _entrants(self) -> Entrants:
        now = time.monotonic()
        return Entrants(
            None if self._keys is None else self._keys.members.list,
            () if self._administration is None else self._administration.invitations,
            self._data.traffic.visitors.refused(now),
            () if self._logins is None else tuple(self._logins.refused_devices(now)),
        )

    def _on_claim(self, name: str, claim: NameClaim) -> None:
        self._names.on_claim(name, claim, time.monotonic())


def data_security(keys: ClusterKeys) -> DataSecurity:
    """Return the security of the gateway's data plane, which follows the list of members."""
    security = DataSecurity(keys.authority.identity, keys.members.list)
    keys.members.follow(security.on_members)
    return security


def name_to_claim(client_id: str, broker: Address | None, prefix: str) -> OwnedName:
    """Return the name that a gateway claims at the house's broker or, if there is none (None), at its own."""
    broker_name = "its own broker" if broker is None else f"broker {broker}"
    return OwnedName(
        client_id=client_id,
        claims=topics.GATEWAY_CLAIM,
        states=topics.BRIDGE_STATE,
        taken=f"another gateway uses the topics below {prefix!r} at {broker_name}",
        cure="stop one of them, or give one a topic prefix of its own (mqtt.topic_prefix in its configuration)",
    )
