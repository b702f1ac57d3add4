"""Edges on machines of their own that a release without keys has installed as services, after the update."""

from __future__ import annotations

import asyncio

import pytest

from shared.cli.without_keys import SERVICE_VARIABLE
from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.process.local_cluster import LocalCluster
from tests.commands import run
from tests.harness import until_said

pytestmark = pytest.mark.slow  # what each of them says is tested without networks, too

GATEWAY = Address("10.77.3.1", 7883)
LISTEN = ("--listen", "0.0.0.0")  # noqa: S104
COMPUTES = "by whole, whole frames"


async def test_services_of_before_go_on_until_the_cluster_is_closed_and_a_new_edge_without_keys_does_not_begin(
    hosts, tmp_path
):
    first, *others = hosts
    state = tmp_path / "logs" / "state" / "deepthings"
    state.mkdir(parents=True)
    (state / "of-before.json").write_text("{}")  # as a gateway of a release without keys left one
    async with LocalCluster(GATEWAY, tmp_path / "logs") as processes:
        gateway = await processes.start("gateway", "gateway", *LISTEN, "--no-compute", host=first)
        await until_said(gateway, "connected to broker")
        by_hand = await processes.start("new", "edge", "--gateway", GATEWAY.host, "--name", "new", host=others[0])
        async with asyncio.timeout(30):
            assert await by_hand.process.wait() == ConfigurationError.exit_code
        said = by_hand.log.read_text()
        assert "edge new works for the gateway at 10.77.3.1 without keys: everybody who can reach it" in said
        assert "Type 'deepthings invite' at the gateway and the command that it prints here" in said
        services = []
        for host, name in zip(others, ("porch", "hall"), strict=True):
            by_systemd = (*host, "env", f"{SERVICE_VARIABLE}={tmp_path / 'notify'}")
            arguments = ("edge", "--gateway", GATEWAY.host, "--name", name, *LISTEN)
            services.append(await processes.start(name, *arguments, host=by_systemd))
        for service, name in zip(services, ("porch", "hall"), strict=True):
            await until_said(service, COMPUTES)
            assert f"Warning: edge {name} listens on 0.0.0.0 without keys" in service.log.read_text()
        closed = await asyncio.to_thread(run, "close", "--state", str(state))
        assert closed.returncode == 0, closed.stderr
        for service in services:
            await until_said(service, "refuses devices without keys: run 'deepthings invite'")
