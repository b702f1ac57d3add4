import pytest

from edge.command import own_gateway, own_name
from shared.cli.cluster_options import LOCAL_GATEWAY
from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.network.host_name import default_edge_name
from shared.network.ports import CLUSTER_PORT, CLUSTER_TLS_PORT
from shared.security.issuing import issue_certificate, make_authority, make_key, public_key_of
from shared.security.key_folder import read_gateway, store_gateway
from shared.security.member_list import Role
from shared.security.node_identity import NodeIdentity

HOME, OTHER = Address("192.168.1.10", 7886), Address("192.168.1.11", 7886)


@pytest.fixture
def joined(tmp_path):
    return make_identity(tmp_path / "node", Role.EDGE)


def make_identity(folder, role):
    authority_key, key = make_key(), make_key()
    authority = make_authority(authority_key)
    certificate = issue_certificate(authority, authority_key, role, "porch", public_key_of(key))
    return NodeIdentity(folder, authority, certificate, key, "token")


def test_a_device_that_has_not_joined_is_named_after_its_host_and_uses_the_gateway_of_this_machine():
    assert own_name(None, None) == default_edge_name()
    assert own_name(None, "hall") == "hall"
    assert own_gateway(None, None) == LOCAL_GATEWAY
    assert own_gateway(None, HOME) == HOME


def test_a_device_that_has_joined_needs_neither_name_nor_gateway(joined):
    store_gateway(joined.folder, HOME)
    assert own_name(joined, None) == own_name(joined, "porch") == "porch"
    assert own_gateway(joined, None) == HOME


def test_a_given_gateway_is_kept_for_later_starts(joined):
    store_gateway(joined.folder, HOME)
    assert own_gateway(joined, OTHER) == OTHER
    assert own_gateway(joined, None) == OTHER


def test_a_joined_edge_goes_to_the_encrypted_port_where_only_the_host_is_named(joined):
    named = Address("10.0.0.7", CLUSTER_PORT)
    assert own_gateway(joined, named) == Address("10.0.0.7", CLUSTER_TLS_PORT)
    assert own_gateway(None, named) == named


def test_the_gateway_of_a_device_that_has_not_joined_is_not_kept(tmp_path):
    own_gateway(None, HOME)
    assert read_gateway(tmp_path) is None


def test_another_name_than_that_of_the_certificate_is_refused(joined):
    with pytest.raises(ConfigurationError, match=r"joined the cluster as 'porch'.*deepthings invite hall"):
        own_name(joined, "hall")


def test_a_camera_does_not_run_as_an_edge(tmp_path):
    with pytest.raises(ConfigurationError, match="joined as camera 'porch', not as an edge"):
        own_name(make_identity(tmp_path, Role.CAMERA), None)
