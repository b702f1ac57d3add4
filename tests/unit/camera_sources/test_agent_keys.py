import pytest

from camera_sources import command
from camera_sources.camera_settings import TOKEN_VARIABLE
from shared.errors import ConfigurationError
from shared.network.addresses import Address
from shared.security.camera_permit import make_permit
from shared.security.key_folder import DATA_PORT_FILE, read_data_plane, store_gateway
from shared.security.member_list import Role
from tests.members import KeyedCluster

HERE, ELSEWHERE = Address("127.0.0.1", 7000), Address("192.0.2.1", 7000)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    monkeypatch.setattr(command, "own_address", lambda _: "192.0.2.7")


def config(folder, edge=HERE, name="door", *, insecure=False):
    return command._agent_config(name, edge, folder, insecure=insecure)


def test_an_agent_that_an_edge_started_shows_its_token_and_nothing_else(tmp_path, monkeypatch):
    make_permit(tmp_path)
    monkeypatch.setenv(TOKEN_VARIABLE, "token of the edge")
    made = config(tmp_path)
    assert (made.token, made.permit, made.identity) == ("token of the edge", "", None)


def test_one_that_is_started_by_hand_beside_its_edge_shows_the_permit(tmp_path):
    permit = make_permit(tmp_path)
    made = config(tmp_path)
    assert (made.permit, made.identity) == (permit, None)
    assert config(tmp_path / "nothing").permit == ""


def test_an_edge_at_another_address_of_this_machine_is_beside_it(tmp_path, monkeypatch):
    permit = make_permit(tmp_path)
    monkeypatch.setattr(command, "own_address", lambda edge: edge.host)
    assert config(tmp_path, ELSEWHERE).permit == permit


def test_a_camera_that_has_joined_shows_its_keys_to_an_edge_elsewhere(tmp_path):
    identity = KeyedCluster(tmp_path).identity(Role.CAMERA, "door")
    with pytest.raises(ConfigurationError, match="is missing, which has the address of the gateway: join the cluster"):
        config(identity.folder, ELSEWHERE)
    store_gateway(identity.folder, Address("192.0.2.2", 7886), 7999)
    made = config(identity.folder, ELSEWHERE)
    assert made.identity is not None
    assert made.gateway == Address("192.0.2.2", 7999)
    assert (made.identity.name, made.permit) == ("door", "")


def test_the_keys_of_an_edge_are_not_those_of_a_camera(tmp_path):
    identity = KeyedCluster(tmp_path).identity(Role.EDGE, "porch")
    with pytest.raises(ConfigurationError, match=r"the keys of edge 'porch': .* invite door --role camera'"):
        config(identity.folder, ELSEWHERE)


def test_without_keys_nothing_is_sent_elsewhere_unless_it_is_told_so(tmp_path, capsys):
    with pytest.raises(ConfigurationError, match=r"camera door sends pictures to 192\.0\.2\.1 without keys"):
        config(tmp_path, ELSEWHERE)
    assert config(tmp_path, ELSEWHERE, insecure=True).identity is None
    assert "Warning: camera door sends pictures" in capsys.readouterr().err


def test_neither_token_nor_permit_are_in_the_representation(tmp_path):
    permit = make_permit(tmp_path)
    made = config(tmp_path)
    assert permit not in repr(made)
    assert made.token not in repr(made)


def test_the_address_of_the_gateway_can_be_changed_by_hand_and_the_port_stays(tmp_path):
    assert read_data_plane(tmp_path) is None
    store_gateway(tmp_path, Address("192.0.2.2", 7886), 7999)
    store_gateway(tmp_path, Address("192.0.2.3", 7886))
    assert read_data_plane(tmp_path) == Address("192.0.2.3", 7999)
    (tmp_path / DATA_PORT_FILE).unlink()
    assert read_data_plane(tmp_path) == Address("192.0.2.3", 7884)
