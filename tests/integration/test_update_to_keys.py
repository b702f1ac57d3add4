"""After the update of a gateway from a release without keys: its edges go on until the cluster is closed."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.authority.broker_logins import USERS_FILE
from gateway.authority.cluster_keys import open_cluster_keys
from gateway.broker.logins import LoginFile
from shared.files.program_folder import default_cache
from shared.mqtt.broker_login import Login
from shared.mqtt.client_ids import OWN_NODE
from shared.network.addresses import LOOPBACK, Address
from shared.payloads.cluster import State
from shared.process.local_cluster import LocalCluster
from shared.security.certificates import der_of, member_in
from shared.security.issuing import make_key, public_key_of
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity, store_identity
from tests.commands import run
from tests.harness import Witness, connected, until_listening, until_said
from tests.ports import free_port


@pytest.mark.slow  # each step has a quicker test; this one shows them together, as processes
async def test_edges_without_keys_go_on_until_the_cluster_is_closed_and_are_told_what_to_do(tmp_path):
    ports = {name: free_port() for name in ("cluster", "cluster-tls", "tls", "join", "data")}
    public = Address(LOOPBACK, free_port())
    state = tmp_path / "logs" / "state" / "deepthings"
    keys = open_cluster_keys(state, OWN_NODE, "always")
    key = make_key()
    certificate = keys.authority.issue(Role.EDGE, "attic", public_key_of(key))
    member = member_in(der_of(certificate))
    token = keys.authority.token_of(member)
    store_identity(NodeIdentity(tmp_path / "attic", keys.authority.certificate, certificate, key, token))
    keys.members.add(member)
    seen = Witness(public, Login("witness", LoginFile(state / USERS_FILE).add("witness")))

    def states():
        return {name: node.state for name, node in seen.nodes.items()}

    async with LocalCluster(Address(LOOPBACK, ports["cluster"]), tmp_path / "logs") as processes:
        options = [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
        gateway = await processes.start(
            "gateway", "gateway", "--listen", "0.0.0.0", "--port", str(public.port), "--no-compute", *options,  # noqa: S104
        )  # fmt: skip
        await until_listening(public, gateway)
        common = ("--cache", str(default_cache()), "--max-cores", "1")
        joined = (f"{LOOPBACK}:{ports['cluster-tls']}", "--keys", str(tmp_path / "attic"))
        await processes.start("attic", "edge", "--gateway", *joined, *common)
        old = await processes.start("old", "edge", "--gateway", str(processes.broker), "--name", "old", *common)
        async with connected(seen.bus):
            await seen.until("both edges", lambda: states() == {"attic": State.ONLINE, "old": State.ONLINE})
            await seen.until("the warning", lambda: "'deepthings invite old'" in " ".join(seen.problems))
            closed = await asyncio.to_thread(run, "close", "--state", str(state))
            assert "refused: old" in closed.stdout, closed.stderr
            await until_said(old, "refuses devices without keys: run 'deepthings invite'")
            await seen.until("the edge with keys alone", lambda: states()["old"] is State.OFFLINE)
            await seen.until("the refusal", lambda: "were refused" in " ".join(seen.problems))
        nodes = await asyncio.to_thread(run, "nodes", "--json", "--state", str(state))
        online = {node["name"]: node["online"] for node in json.loads(nodes.stdout)["nodes"] if node["role"] == "edge"}
        assert online == {"attic": True, OWN_NODE: False}
