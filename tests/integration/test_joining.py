"""Devices join a cluster, and others try to: the join port and the socket of commands, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import ssl
import stat

import pytest

from gateway.authority.admin_client import ask_gateway
from gateway.authority.admin_messages import (
    CloseRequest,
    DoneAnswer,
    InviteAnswer,
    InviteRequest,
    NodesAnswer,
    NodesRequest,
    RevokeRequest,
)
from gateway.authority.administration import Administration
from gateway.authority.cluster_keys import open_cluster_keys
from gateway.authority.device_invitations import INVITATION_S, MAX_WRONG_CODES
from gateway.authority.join_admission import ClusterAccess
from gateway.authority.join_server import JOIN_CONNECTION_TIMEOUT_S, MAX_JOIN_CONNECTIONS_OF_HOST
from shared.errors import DeepThingsError, PeerRefusedError
from shared.network.addresses import LOOPBACK, Address
from shared.security import issuing, joining
from shared.security.code_parts import authority_in_code, new_secret
from shared.security.join_messages import MAX_JOIN_LINE_BYTES, InvitationCode
from shared.security.joining import PENDING_KEY_FILE, join_cluster
from shared.security.key_folder import find_identity, read_gateway
from shared.security.member_list import Role
from shared.security.node_identity import load_identity
from tests.ports import free_port

NO_ANSWER_TIMEOUT_S = 20


class House:
    """A gateway's administration, whose clock is the test's, and devices that join it."""

    def __init__(self, folder, address):
        self.folder = folder
        self.address = address
        self.now = 0.0
        self.published = []
        self.present = ()
        self.keys = open_cluster_keys(folder / "gateway", "gateway", "until joined")
        self.administration = Administration(
            self.keys, ClusterAccess(7883, "deepthings"), address,
            present=lambda: self.present, publish=self._publish, clock=lambda: self.now,
        )  # fmt: skip

    async def _publish(self, members):
        self.published.append(members)

    async def ask(self, request, kind):
        return await asyncio.to_thread(ask_gateway, self.folder / "gateway", request, kind)

    async def invite(self, **fields):
        answer = await self.ask(InviteRequest(host=LOOPBACK, **fields), InviteAnswer)
        return InvitationCode.parse(answer.code)

    async def join(self, code, device="device", name=None):
        return await join_cluster(code, self.folder / device, name, "raspberrypi")

    def members(self):
        return {(member.role, member.name) for member in self.keys.members.list.members}

    async def until_closed(self):
        async with asyncio.timeout(NO_ANSWER_TIMEOUT_S):
            while await self._is_open():
                pass

    async def _is_open(self):
        try:
            _, writer = await asyncio.open_connection(*self.address)
            writer.close()
            await writer.wait_closed()
        except ConnectionRefusedError:
            return False
        except ConnectionError:  # it closes just now
            pass
        return True


@contextlib.asynccontextmanager
async def connected(address, **options):
    reader, writer = await asyncio.open_connection(*address, **options)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
async def house(tmp_path):
    house = House(tmp_path, Address(LOOPBACK, free_port()))
    running = asyncio.create_task(house.administration.run())
    async with asyncio.timeout(10):
        while not (tmp_path / "gateway" / "keys" / "admin.sock").exists():  # noqa: ASYNC110  (files say nothing)
            await asyncio.sleep(0)
    yield house
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_device_joins_and_is_a_member_with_files_that_only_its_user_can_read(house):
    identity, answer = await house.join(await house.invite(), name="porch")
    folder = house.folder / "device"
    assert (answer.role, answer.name) == (Role.EDGE, "porch")
    assert load_identity(folder) == identity
    assert read_gateway(folder) == Address(LOOPBACK, 7883)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert not (folder / PENDING_KEY_FILE).exists()
    assert house.keys.members.list.admit(Role.EDGE, "porch", identity.member.key_hash)
    assert house.published[-1] == house.keys.members.list


async def test_a_code_lets_in_one_device_only(house):
    code = await house.invite(name="porch")
    await house.join(code)
    with pytest.raises(PeerRefusedError, match="has let in edge 'porch' already"):
        await house.join(code, "stranger")
    assert find_identity(house.folder / "stranger") is None


async def test_a_device_whose_answer_was_lost_gets_it_again(house, monkeypatch):
    code = await house.invite(name="porch")

    def power_fails(_):
        raise OSError("the power fails")

    with monkeypatch.context() as patch:
        patch.setattr(joining, "store_identity", power_fails)
        with pytest.raises(OSError, match="power"):
            await house.join(code)
    revision = house.keys.members.list.revision
    identity, _ = await house.join(code)
    assert house.keys.members.list.admit(Role.EDGE, "porch", identity.member.key_hash)
    assert house.keys.members.list.revision == revision


async def test_too_many_wrong_codes_close_the_port(house):
    code = await house.invite()
    for _ in range(MAX_WRONG_CODES):
        wrong = InvitationCode(code.authority, new_secret(), code.address)
        with pytest.raises(PeerRefusedError, match="not valid"):
            await house.join(wrong, "stranger")
    await house.until_closed()
    with pytest.raises(DeepThingsError, match="nobody invites devices at"):
        await house.join(code)
    assert await house.join(await house.invite())  # a new invitation opens it again


async def test_the_port_is_open_for_the_hour_of_an_invitation_only(house):
    await house.until_closed()
    code = await house.invite()
    house.now += INVITATION_S
    with pytest.raises(PeerRefusedError, match="older than an hour"):
        await house.join(code)
    await house.until_closed()


async def test_a_device_sends_nothing_to_another_gateway_than_that_of_its_code(house, monkeypatch):
    code = await house.invite()
    asked = []
    monkeypatch.setattr(house.administration._admission, "join", asked.append)
    other = InvitationCode(authority_in_code("ab" * 32), code.secret, code.address)
    with pytest.raises(PeerRefusedError, match=r"is not the gateway that printed this code.*nothing was sent to it"):
        await house.join(other)
    assert asked == []


async def test_a_member_of_the_cluster_cannot_pose_as_its_gateway(house):
    """It can show the authority's certificate, which is public, but has only a certificate of an edge."""
    edge, _ = await house.join(await house.invite(name="porch"), "bad")
    received = []

    async def pose(reader, writer):
        with contextlib.suppress(OSError, EOFError, ConnectionError):
            line = await reader.readuntil(b"\n")
            received.append(line)
            writer.write(b'{"authority": %s}\n' % _quoted(edge.authority))
            await writer.drain()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(edge.certificate_file, edge.key_file)
    async with await asyncio.start_server(pose, LOOPBACK, 0, ssl=context) as server:
        address = Address(LOOPBACK, server.sockets[0].getsockname()[1])
        code = await house.invite()
        with pytest.raises(PeerRefusedError, match="but not its gateway"):
            await house.join(InvitationCode(code.authority, code.secret, address))
    assert not any(code.secret.encode() in line for line in received)


def _quoted(pem):
    return b'"' + pem.replace(b"\n", b"\\n") + b'"'


@pytest.mark.parametrize(
    "garbage",
    [b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\x16\x03\x01\xff\xff" + bytes(70_000)],
    ids=["nothing", "http", "random", "a record that never ends"],
)
async def test_garbage_at_the_join_port_disturbs_nobody(house, garbage):
    code = await house.invite()
    async with connected(house.address) as (_, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(garbage)
            await writer.drain()
        assert await house.join(code)


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n", b"nonsense\n", b'{"want": "everything"}\n', b"[" * 5000 + b"\n",
        b'{"want": "member", "secret": "' + b"a" * 5000 + b'", "public_key": "", "host": "pi"}\n',
    ],
)  # fmt: skip
async def test_a_request_that_is_none_is_refused_in_words(house, line):
    await house.invite()
    async with connected(house.address, ssl=_trusting_everybody()) as (reader, writer):
        writer.write(line)
        assert b"cannot be read" in await reader.readline()


async def test_a_request_without_end_is_cut_off(house):
    code = await house.invite()
    async with connected(house.address, ssl=_trusting_everybody()) as (reader, writer):
        with contextlib.suppress(ConnectionError):
            writer.write(b"x" * (4 * MAX_JOIN_LINE_BYTES))
            await writer.drain()
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(JOIN_CONNECTION_TIMEOUT_S / 2):  # at once, and not after the longest time
                assert await reader.read() == b""
    assert await house.join(code)


async def test_silent_connections_of_one_host_are_few(house):
    await house.invite()
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(MAX_JOIN_CONNECTIONS_OF_HOST):
            await stack.enter_async_context(connected(house.address))
        reader, _ = await stack.enter_async_context(connected(house.address))
        async with asyncio.timeout(JOIN_CONNECTION_TIMEOUT_S / 2):
            assert await reader.read() == b""


@pytest.mark.parametrize("years", [(2090, 2099), (2020, 2021)], ids=["clock of 1970", "clock of 2100"])
async def test_a_device_joins_whatever_its_clock_says(house, monkeypatch, years):
    """A clock that is wrong by decades is one that is right beside certificates of other decades."""
    first, last = (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) for year in years)
    monkeypatch.setattr(issuing, "VALID_FROM", first)
    monkeypatch.setattr(issuing, "VALID_UNTIL", last)
    other = House(house.folder / "other", Address(LOOPBACK, free_port()))
    running = asyncio.create_task(other.administration.run())
    port = other.administration._join_server.open()
    secret = other.administration._admission.invite(Role.EDGE, None, again=False)
    other.administration._join_server.open()
    code = InvitationCode(
        authority_in_code(other.keys.authority.identity.authority_hash), secret, Address(LOOPBACK, port)
    )
    identity, _ = await other.join(code)
    assert load_identity(identity.folder) == identity
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _trusting_everybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def test_the_port_speaks_nothing_older_than_tls_1_3(house):
    await house.invite()
    context = _trusting_everybody()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*house.address, ssl=context)


async def test_commands_list_and_revoke_members(house):
    await house.join(await house.invite(name="porch"))
    house.present = ("porch", "attic")
    nodes = {(node.role, node.name): node for node in (await house.ask(NodesRequest(), NodesAnswer)).nodes}
    assert nodes[Role.EDGE, "porch"].online
    assert nodes[Role.EDGE, "porch"].key_hash
    assert nodes[Role.EDGE, "attic"].key_hash == ""  # one without keys
    done = await house.ask(RevokeRequest(name="porch"), DoneAnswer)
    assert "edge 'porch' is no longer a member" in done.done
    assert (Role.EDGE, "porch") not in house.members()
    assert house.published[-1] == house.keys.members.list
    with pytest.raises(PeerRefusedError, match="was revoked"):
        house.keys.members.list.admit(Role.EDGE, "porch", nodes[Role.EDGE, "porch"].key_hash)


async def test_the_error_of_a_command_is_the_gateways(house):
    with pytest.raises(DeepThingsError, match="'attic' is not a member of this cluster; members: gateway"):
        await house.ask(RevokeRequest(name="attic"), DoneAnswer)
    await house.join(await house.invite(name="porch"))
    with pytest.raises(DeepThingsError, match="invite porch --again"):
        await house.invite(name="porch")


async def test_an_open_cluster_is_a_problem_until_it_is_closed(house):
    house.keys.members.set_open(is_open=True)
    house.present = ("attic",)
    (problem,) = house.administration.problems()
    assert "open to everybody" in problem
    assert "deepthings invite attic" in problem
    done = await house.ask(CloseRequest(), DoneAnswer)
    assert "refused: attic" in done.done
    assert house.administration.problems() == ()


async def test_only_the_user_of_the_gateway_reaches_the_socket_of_commands(house):
    keys = house.folder / "gateway" / "keys"
    assert (keys / "admin.sock").is_socket()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700


async def test_a_port_that_is_in_use_is_said_by_the_command(house):
    async with await asyncio.start_server(lambda *_: None, *house.address):
        with pytest.raises(DeepThingsError, match=r"cannot listen on .*--join-port"):
            await house.invite()


def test_without_a_gateway_the_command_says_how_to_start_one(tmp_path):
    with pytest.raises(DeepThingsError, match=r"no gateway runs with the state folder .*deepthings gateway"):
        ask_gateway(tmp_path, NodesRequest(), NodesAnswer)
