"""The commands that let devices in and put them out, where there is no gateway, or something is wrong."""

from __future__ import annotations

import pytest

from gateway.authority.admin_messages import ListedNode, NodesAnswer
from gateway.authority.authority import KEYS_FOLDER
from gateway.authority.cluster_keys import open_cluster_keys
from gateway.commands.list_nodes import node_lines
from gateway.state.state_lock import hold_folder
from shared.security.member_list import Member, Role

PORCH = Member(role=Role.EDGE, name="porch", key_hash="a" * 64)
YARD = Member(role=Role.CAMERA, name="yard", key_hash="b" * 64)


@pytest.fixture
def state(tmp_path):
    """The state folder of a gateway with two members that does not run."""
    folder = tmp_path / "state"
    keys = open_cluster_keys(folder, "gateway", "until joined")
    keys.members.add(PORCH)
    keys.members.add(YARD)
    return folder


@pytest.mark.parametrize("command", ["invite", "nodes", "revoke porch", "close"])
def test_a_gateway_that_does_not_run_is_said_with_the_way_to_start_it(deepthings, state, command):
    done = deepthings(*command.split(), "--state", str(state))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no gateway runs with the state folder {state}: start it with 'deepthings gateway'" in done.stderr


def test_a_gateway_on_loopback_has_no_members_to_invite(deepthings, tmp_path):
    with hold_folder(tmp_path):
        done = deepthings("invite", "--state", str(tmp_path))
    assert done.returncode == 1
    assert "listens on this machine only" in done.stderr
    assert "--listen 0.0.0.0" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["invite", "a/b"], "invalid name 'a/b'"),
        (["invite", "a:b"], "invalid name 'a:b'"),
        (["invite", "--again"], "--again needs the NAME"),
        (["invite", "--role", "gateway"], "Invalid value for '--role'"),
        (["revoke"], "Missing argument 'NODE'"),
        (["join", "dt1.abc"], "the code is incomplete"),
        (["join", "--name", "A+B", "x"], "invalid name 'A+B'"),
        (["join"], "CODE is missing: 'deepthings invite' prints it"),
    ],
)
def test_a_mistake_is_said_and_ends_with_2(deepthings, words, said):
    done = deepthings(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_gateway_that_nobody_reaches_is_said(deepthings, tmp_path):
    code = f"dt1.{'a' * 26}.{'b' * 26}@127.0.0.1:9"
    done = deepthings("join", code, "--keys", str(tmp_path / "node"))
    assert done.returncode == 1
    assert "nobody invites devices at 127.0.0.1:9" in done.stderr
    assert "deepthings invite" in done.stderr


def test_new_keys_are_made_when_that_is_meant(deepthings, state):
    before = (state / KEYS_FOLDER / "authority.pem").read_bytes()
    done = deepthings("rotate", "--state", str(state), "--yes")
    assert done.returncode == 0, done.stderr
    assert "invite porch\n" in done.stdout
    assert "invite yard --role camera\n" in done.stdout
    assert "invite gateway" not in done.stdout
    assert (state / KEYS_FOLDER / "authority.pem").read_bytes() != before


def test_the_keys_of_a_gateway_that_runs_are_not_replaced(deepthings, state):
    before = (state / KEYS_FOLDER / "authority.pem").read_bytes()
    with hold_folder(state):
        done = deepthings("rotate", "--state", str(state), "--yes")
    assert done.returncode == 1
    assert "the gateway is running: stop it first" in done.stderr
    assert (state / KEYS_FOLDER / "authority.pem").read_bytes() == before


def test_members_are_a_table():
    nodes = (
        ListedNode(name="porch", role=Role.EDGE, key_hash="a" * 64, online=True),
        ListedNode(name="yard", role=Role.CAMERA, key_hash="b" * 64),
        ListedNode(name="attic", role=Role.EDGE, online=True),
    )
    assert list(node_lines(NodesAnswer(open=True, nodes=nodes))) == [
        "NAME   ROLE    KEY",
        "porch  edge    aaaaaaaaaaaaaaaa  online",
        "yard   camera  bbbbbbbbbbbbbbbb",
        "attic  edge    no key            online",
        "",
        "The cluster is open: devices without keys take part, too. When all have joined, run 'deepthings close'.",
    ]
