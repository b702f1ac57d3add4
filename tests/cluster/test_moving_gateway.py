"""A gateway moves to another machine, with its keys and members; a card is copied."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from shared.network.addresses import Address
from tests.harness import until_said
from tests.joined_hosts import COMPUTES, LISTEN, gateway_on, nodes_of, run_ok

pytestmark = pytest.mark.slow  # each part of it is tested without networks, too

OLD, NEW = Address("10.77.3.1", 7883), Address("10.77.3.3", 7883)


async def online(state):
    """The members of the gateway with this state folder that are online."""
    nodes = await nodes_of(state)
    return {name for name, node in nodes.items() if node["role"] == "edge" and node["online"]}


def tell_nothing(folder, state, keys, process):
    """No log, and nothing that other processes see of one, has a key, a token or the secret of an invitation."""
    private = [path.read_text() for path in (*state.rglob("*key.pem"), *keys.rglob("*key.pem"))]
    secrets = [(keys / "token").read_text(), *(text.splitlines()[1] for text in private)]
    assert len(secrets) == 5  # the token, and the keys of authority, gateway, its own node, and the edge
    seen = [path.read_text(errors="replace") for path in (folder / "logs").glob("*.log")]
    seen += [(Path("/proc") / str(process) / name).read_text() for name in ("cmdline", "environ")]
    assert not [text for text in seen for secret in secrets if secret in text]


async def test_the_edges_of_a_gateway_that_moves_need_its_new_address_once_and_nothing_else(hosts, tmp_path):
    first, porch, second = hosts
    new = tmp_path / "moved"
    async with gateway_on(first, OLD, tmp_path) as net:
        processes, gateway, old = net.processes, net.gateway, net.state
        keys = await net.join("porch", porch)
        assert net.code.endswith("@10.77.3.1:7885")
        edge = ("edge", *LISTEN, "--keys", str(keys))
        kept = {path.name: path.read_bytes() for path in keys.iterdir()}
        running = await processes.start("porch", *edge, host=porch)
        await until_said(running, COMPUTES)
        assert await online(old) == {"porch"}

        shutil.copytree(keys, tmp_path / "copy")
        copy = await processes.start("copy", "edge", *LISTEN, "--keys", str(tmp_path / "copy"), host=second)
        async with asyncio.timeout(30):
            assert await copy.process.wait() == 1
        assert "another edge is called 'porch'" in copy.log.read_text()
        assert "10.77.3.2" in copy.log.read_text()
        assert await online(old) == {"porch"}

        await run_ok("backup", tmp_path / "home.tar.gz", "--state", old)
        await processes.stop(running)
        await processes.stop(gateway)
        await run_ok("restore", tmp_path / "home.tar.gz", "--state", new)
        (tmp_path / "moved.yaml").write_text(f"state: {new}\n")
        options = ("--config", str(tmp_path / "moved.yaml"), *LISTEN, "--no-compute")
        moved = await processes.start("moved", "gateway", *options, host=second)
        await until_said(moved, "connected to broker")
        running = await processes.start("porch-moved", *edge, "--gateway", NEW.host, host=porch)
        await until_said(running, COMPUTES)
        assert await online(new) == {"porch"}
        now = {path.name: path.read_bytes() for path in keys.iterdir()}
        assert {name for name in kept if now[name] != kept[name]} == {"gateway"}

        tell_nothing(tmp_path, old, keys, running.process.pid)
        await processes.stop(running)
        running = await processes.start("porch-again", *edge, host=porch)  # it has kept the address
        await until_said(running, COMPUTES)
        assert await online(new) == {"porch"}
