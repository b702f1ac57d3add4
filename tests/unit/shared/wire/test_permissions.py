import pytest

from shared.security.member_list import Role
from shared.wire.codec import MessageKind
from shared.wire.permissions import EDGE_DOOR, GATEWAY_DOOR

ANSWERS = {
    MessageKind.READY, MessageKind.OUTCOME, MessageKind.CONTROL, MessageKind.STRIPS, MessageKind.PROGRAM,
    MessageKind.PICTURE, MessageKind.SETTINGS, MessageKind.TILE_DONE, MessageKind.FRAME_DONE, MessageKind.ABSENT,
    MessageKind.REFUSED, MessageKind.TRACE, MessageKind.MEMBERS,
}  # fmt: skip
"""What servers send: nobody may send it to one."""

SECRETS = {MessageKind.PICTURE_REQUEST, MessageKind.TRACE_REQUEST}


def test_every_kind_of_message_is_for_a_server_or_an_answer():
    asked = EDGE_DOOR.known | GATEWAY_DOOR.known
    assert asked | ANSWERS == set(MessageKind)
    assert not asked & ANSWERS


def test_pictures_of_an_edge_are_for_the_gateway_alone():
    assert [role for role in Role if MessageKind.PICTURE_REQUEST in EDGE_DOOR.kinds_for(role)] == [Role.GATEWAY]
    assert not SECRETS & EDGE_DOOR.plain, "not even while the cluster is open"


@pytest.mark.parametrize("kind", [MessageKind.PROGRAM_REQUEST, MessageKind.SETTINGS_REQUEST, MessageKind.RESULT])
def test_programs_settings_and_results_are_of_edges_alone(kind):
    assert [role for role in Role if kind in GATEWAY_DOOR.kinds_for(role)] == [Role.EDGE]


def test_a_camera_sends_frames_to_an_edge_and_asks_the_gateway_for_the_members_only():
    assert GATEWAY_DOOR.kinds_for(Role.CAMERA) == {MessageKind.MEMBERS_REQUEST}
    assert EDGE_DOOR.kinds_for(Role.CAMERA) == EDGE_DOOR.local
    assert {kind.name for kind in EDGE_DOOR.local} == {"CAMERA", "FRAME", "REPORT", "OFFER"}


def test_a_process_of_the_same_machine_without_keys_gets_nothing_of_a_gateway():
    assert GATEWAY_DOOR.local == frozenset()
