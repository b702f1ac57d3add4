import pytest

from edge.cameras.agent_permission import check_agent
from shared.errors import PeerRefusedError
from shared.security.camera_permit import make_permit, read_permit
from shared.security.member_list import Member, Role
from shared.wire.camera_headers import CameraHeader

DOOR = Member(role=Role.CAMERA, name="door", key_hash="1" * 64)


def test_a_camera_with_keys_feeds_the_camera_of_its_name():
    check_agent(CameraHeader(camera="door"), DOOR, None, "permit")
    with pytest.raises(PeerRefusedError, match="camera 'door' may not feed camera yard: start it with --name door"):
        check_agent(CameraHeader(camera="yard"), DOOR, None, "permit")


@pytest.mark.parametrize("hello", [{"token": "own"}, {"permit": "permit"}])
def test_without_keys_the_token_of_an_own_agent_or_the_permit_is_enough(hello):
    check_agent(CameraHeader(camera="door", **hello), None, "own", "permit")


@pytest.mark.parametrize("hello", [{}, {"token": "other"}, {"permit": "other"}, {"token": "permit"}, {"permit": "own"}])
@pytest.mark.parametrize("own_token", ["own", None])
def test_another_process_of_the_machine_may_feed_no_camera(hello, own_token):
    with pytest.raises(PeerRefusedError, match="shows no permit: start it as the user that runs this edge"):
        check_agent(CameraHeader(camera="door", **hello), None, own_token, "permit")


def test_without_keys_here_nothing_must_be_shown():
    check_agent(CameraHeader(camera="door"), None, None, None)


def test_a_permit_is_made_once_and_is_for_its_user_alone(tmp_path):
    assert read_permit(tmp_path) == ""
    permit = make_permit(tmp_path)
    assert len(permit) >= 32
    assert make_permit(tmp_path) == permit == read_permit(tmp_path)
    assert (tmp_path / "camera-permit").stat().st_mode & 0o777 == 0o600
