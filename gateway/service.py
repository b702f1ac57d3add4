"""A gateway as a process: its parts, its connection with the broker, its life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from gateway.broker import own_broker
from gateway.catalogue import open_model
from gateway.cluster import Cluster
from gateway.contested_names import ContestedNames
from gateway.data_plane import DataPlane
from gateway.home import Home
from gateway.membership import Membership
from gateway.partitioned import PartitionedModel
from gateway.prober import Prober
from gateway.state_lock import in_use
from shared import topics
from shared.addresses import Address, advertised, reached_here
from shared.bus import Bus, Outgoing
from shared.client_ids import gateway_client_id
from shared.errors import BrokerError
from shared.messages import BridgeState, NameClaim, State
from shared.name_claim import NameOwner, OwnedName
from shared.own_state import OwnState
from shared.service import release, run_together
from shared.systemd import notification
from shared.wire.codec import PROTOCOL
from shared.wire.connection import Traffic

if TYPE_CHECKING:
    from gateway.config import GatewayConfig
    from shared.bridge import BridgeInfo

log = logging.getLogger(__name__)


class Gateway:
    """One gateway: it builds its parts, connects them with the broker, and lives until it is stopped."""

    def __init__(self, config: GatewayConfig) -> None:
        """Load the model and listen. Raises ModelError, CutError, ConfigurationError, ListenError."""
        self._config = config
        model = open_model(config.model, config.weights)
        self._partitioned = PartitionedModel.of(model, config.grid_for(1), config.cut, config.method)
        self._broker = config.broker or reached_here(Address(config.host, config.port))
        self._data = DataPlane(Address(config.host, config.data_port), Traffic())
        members, listening = Membership(self._broker), advertised(self._data.address, self._broker)
        prefix = config.configuration.mqtt.topic_prefix
        self._name_owner = NameOwner(self._broker, gateway_name(self._broker, prefix), prefix)
        self._bus = Bus(
            self._broker,
            self._name_owner.client_id,
            will=Outgoing(topics.BRIDGE_STATE, self._state(State.OFFLINE)),
            birth=self._birth,
            farewell=self._farewell,
            prefix=prefix,
            owner=self._name_owner,
        )
        self._own_state = OwnState(lambda: self._state(State.ONLINE), self._publish_state)
        self._home = Home(config.configuration, self._bus, members, listening, config.reload, self._info)
        self._cluster = Cluster(config, model, self._partitioned, self._data, self._bus, members, self._home)
        self._names = ContestedNames()
        self._prober = Prober(members, lambda: listening, lambda: self._name_owner.identity)
        self._home.problems.add("names", self._names.problems)
        self._home.problems.add("reachability", self._prober.problems)
        self._bus.on(topics.NODE_CLAIM, self._on_claim)
        self._bus.on(topics.GATEWAY_CLAIM, self._on_claim)
        self._bus.on(topics.BRIDGE_STATE, lambda _, state: self._own_state.heard(state))

    async def run(self, stop: asyncio.Event) -> None:
        """Live until `stop`. Raises DeepThingsError where going on makes no sense."""
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(in_use(self._config.configuration.state))
            broker = None
            if self._config.broker is None:
                broker = await stack.enter_async_context(own_broker(Address(self._config.host, self._config.port)))
            stage = self._partitioned.stage
            log.info(
                "gateway: %s cut behind %s, %s layers in %s tiles; broker %s, data plane %s",
                self._partitioned.spec.name, ",".join(stage.cut), len(stage.layers), stage.grid, self._broker,
                self._data.address,
            )  # fmt: skip
            await run_together(
                self._data.run(),
                self._cluster.run(stop),
                self._home.run(),
                self._watch_broker(broker),
                self._own_state.run(),
                self._prober.run(),
                notification.current.follow(self._bus.connected, f"broker {self._broker}"),
                self._bus.run(),
            )

    @staticmethod
    async def _watch_broker(broker: asyncio.subprocess.Process | None) -> None:
        """Raise BrokerError when our own broker ends; one that is not ours has its own keeper."""
        if broker is None:
            await asyncio.Event().wait()
            return
        code = await broker.wait()
        raise BrokerError(f"the gateway's Mosquitto ended unexpectedly (exit code {code})")

    async def _birth(self) -> None:
        """Publish all that is retained; that the gateway is there comes last, when the rest is true."""
        await self._cluster.born()
        await self._home.born()
        await self._publish_state()

    async def _farewell(self) -> None:
        await self._home.farewell()

    async def _publish_state(self) -> None:
        await self._bus.publish(topics.BRIDGE_STATE, self._state(State.ONLINE))

    def _info(self) -> BridgeInfo:
        return self._cluster.info()

    def _state(self, state: State) -> BridgeState:
        return BridgeState(state=state, protocol=PROTOCOL, version=release(), identity=self._name_owner.identity)

    def _on_claim(self, name: str, claim: NameClaim) -> None:
        self._names.on_claim(name, claim, time.monotonic())


def gateway_name(broker: Address, prefix: str) -> OwnedName:
    """Return what a gateway claims."""
    return OwnedName(
        client_id=gateway_client_id(prefix),
        claims=topics.GATEWAY_CLAIM,
        states=topics.BRIDGE_STATE,
        taken=f"another gateway uses the topics below {prefix!r} at broker {broker}",
        cure="stop one of them, or give one a topic prefix of its own (mqtt.topic_prefix in its configuration)",
    )
