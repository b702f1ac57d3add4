import ssl
from types import SimpleNamespace

import pytest

from shared.errors import PeerRefusedError
from shared.security.data_security import ANY_EDGE, THE_GATEWAY, DataSecurity, ExpectedPeer
from shared.security.member_list import Role
from shared.security.tls import handshake_reason
from tests.members import KeyedCluster


@pytest.fixture
def cluster(tmp_path):
    return KeyedCluster(tmp_path / "cluster")


def shake_hands(client, server):
    """The certificates that both ends have seen after a handshake in memory: by the client, by the server."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.client_context.wrap_bio(to_client, to_server)
    far = server.server_context.wrap_bio(to_server, to_client, server_side=True)
    for end in (near, far, near, far):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert near.version() == "TLSv1.3"
    return near.getpeercert(binary_form=True), far.getpeercert(binary_form=True)


def shown_by(security, other):
    """The certificate that a member shows another."""
    return shake_hands(security, other)[1]


def test_members_know_each_other_by_role_and_name(cluster):
    gateway, edge = cluster.member(Role.GATEWAY, "gateway"), cluster.member(Role.EDGE, "porch")
    seen_by_edge, seen_by_gateway = shake_hands(edge, gateway)
    assert edge.require(seen_by_edge, THE_GATEWAY).name == "gateway"
    assert gateway.require(seen_by_gateway, ExpectedPeer(Role.EDGE, "porch")).role is Role.EDGE
    assert gateway.require(seen_by_gateway, ANY_EDGE).name == "porch"


@pytest.mark.parametrize("expected", [THE_GATEWAY, ExpectedPeer(Role.EDGE, "hall"), ExpectedPeer(Role.CAMERA, "porch")])
def test_another_member_than_the_expected_one_is_refused(cluster, expected):
    gateway, edge = cluster.member(Role.GATEWAY, "gateway"), cluster.member(Role.EDGE, "porch")
    with pytest.raises(PeerRefusedError, match=f"edge 'porch' answers there instead of {expected}"):
        gateway.require(shown_by(edge, gateway), expected)


def test_a_certificate_of_another_cluster_ends_the_handshake(cluster, tmp_path):
    edge, stranger = cluster.member(Role.EDGE, "porch"), KeyedCluster(tmp_path / "other").member(Role.EDGE, "porch")
    with pytest.raises(ssl.SSLCertVerificationError) as refused:
        shake_hands(edge, stranger)
    assert "its certificate is not of this cluster: type 'deepthings invite" in handshake_reason(refused.value)
    with pytest.raises(ssl.SSLError):
        shake_hands(stranger, edge)


def test_who_shows_no_certificate_ends_the_handshake(cluster):
    edge, gateway = cluster.member(Role.EDGE, "porch"), cluster.member(Role.GATEWAY, "gateway")
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname, bare.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(ssl.SSLError) as refused:
        shake_hands(SimpleNamespace(client_context=bare), gateway)
    assert handshake_reason(refused.value).startswith("it showed no certificate: type 'deepthings invite")
    bare.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        shake_hands(SimpleNamespace(client_context=bare), edge)


def test_a_certificate_that_is_not_in_the_list_is_refused_with_the_cure(cluster):
    gateway = cluster.member(Role.GATEWAY, "gateway")
    unlisted = cluster.security(cluster.identity(Role.EDGE, "porch", unlisted=True))
    with pytest.raises(PeerRefusedError, match=r"edge 'porch' is not a member of this cluster; .*'deepthings invite"):
        gateway.admit(shown_by(unlisted, gateway))


def test_a_second_key_under_the_same_name_is_refused_and_named(cluster):
    gateway, first = cluster.member(Role.GATEWAY, "gateway"), cluster.member(Role.EDGE, "porch")
    second = cluster.security(cluster.identity(Role.EDGE, "porch", unlisted=True))
    assert gateway.admit(shown_by(first, gateway)).name == "porch"
    with pytest.raises(PeerRefusedError, match="another key than the one that joined under this name"):
        gateway.admit(shown_by(second, gateway))


def test_before_the_list_has_come_only_the_gateway_is_known(cluster):
    gateway, edge = cluster.member(Role.GATEWAY, "gateway"), cluster.member(Role.EDGE, "porch")
    early = DataSecurity(cluster.identity(Role.EDGE, "hall"))
    assert early.require(shake_hands(early, gateway)[0], THE_GATEWAY).role is Role.GATEWAY
    with pytest.raises(PeerRefusedError, match="the list of members has not come"):
        early.admit(shown_by(edge, early))
    early.on_members(cluster.members)
    assert early.admit(shown_by(edge, early)).name == "porch"


def test_a_camera_has_no_list_and_believes_the_certificate_of_an_edge(cluster):
    edge, gateway = cluster.member(Role.EDGE, "porch"), cluster.member(Role.GATEWAY, "gateway")
    camera = DataSecurity(cluster.identity(Role.CAMERA, "door"), by_certificate=True)
    assert camera.require(shake_hands(camera, edge)[0], ANY_EDGE).name == "porch"
    with pytest.raises(PeerRefusedError, match="the gateway answers there instead of any edge"):
        camera.require(shake_hands(camera, gateway)[0], ANY_EDGE)


class Held:
    """A connection of a member, or of a peer without keys."""

    def __init__(self, member=None):
        self.member, self.closed = member, False

    def close(self):
        self.closed = True


def test_connections_of_a_revoked_member_are_closed_and_no_others(cluster):
    gateway = cluster.member(Role.GATEWAY, "gateway")
    porch, hall = [cluster.identity(Role.EDGE, name).member for name in ("porch", "hall")]
    held = [Held(porch), Held(hall), Held(porch)]
    for connection in held:
        gateway.watch(connection)
    cluster.revoke(Role.EDGE, "porch")
    assert [connection.closed for connection in held] == [True, False, True]


def test_connections_without_keys_are_closed_when_the_cluster_is(tmp_path):
    cluster = KeyedCluster(tmp_path, is_open=True)
    gateway = cluster.member(Role.GATEWAY, "gateway")
    held = [Held(), Held(cluster.identity(Role.EDGE, "porch").member)]
    for connection in held:
        gateway.watch(connection)
    assert [connection.closed for connection in held] == [False, False]
    cluster.close()
    assert [connection.closed for connection in held] == [True, False]


@pytest.mark.parametrize(
    ("is_open", "expected", "plain"),
    [
        (True, ExpectedPeer(Role.EDGE, "old"), True),
        (True, ExpectedPeer(Role.EDGE, "porch"), False),
        (True, ANY_EDGE, False),
        (True, THE_GATEWAY, False),
        (False, ExpectedPeer(Role.EDGE, "old"), False),
    ],
)
def test_only_edges_that_are_no_members_are_reached_without_encryption_and_only_while_the_cluster_is_open(
    tmp_path, is_open, expected, plain
):
    cluster = KeyedCluster(tmp_path, is_open=is_open)
    gateway = cluster.member(Role.GATEWAY, "gateway")
    cluster.identity(Role.EDGE, "porch")
    assert gateway.connects_plain(expected) is plain


def test_a_member_speaks_in_its_own_name_and_others_in_the_name_of_no_member(tmp_path):
    cluster = KeyedCluster(tmp_path, is_open=True)
    gateway = cluster.member(Role.GATEWAY, "gateway")
    porch = cluster.identity(Role.EDGE, "porch").member
    gateway.check_name(porch, "porch")
    gateway.check_name(None, "old")
    with pytest.raises(PeerRefusedError, match="edge 'porch' spoke in the name of edge 'hall'"):
        gateway.check_name(porch, "hall")
    with pytest.raises(PeerRefusedError, match="a device without keys spoke in the name of edge 'porch'"):
        gateway.check_name(None, "porch")
