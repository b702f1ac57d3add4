import pytest

from gateway.authority.device_invitations import INVITATION_S, MAX_INVITATIONS, MAX_WRONG_CODES, DeviceInvitations
from shared.errors import PeerRefusedError
from shared.security.code_parts import new_secret
from shared.security.join_messages import JoinAnswer
from shared.security.member_list import Role

KEY, OTHER_KEY = "a" * 64, "b" * 64


def answer(name="porch"):
    return JoinAnswer(role=Role.EDGE, name=name, certificate="", token="t", port=7883, topic_prefix="deepthings")  # noqa: S106


class Admitting:
    """Counts how often a member is made."""

    def __init__(self):
        self.times = 0

    def __call__(self, _):
        self.times += 1
        return answer()


@pytest.fixture
def admit():
    return Admitting()


def test_an_invitation_lets_in_one_device_and_no_second(admit):
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 0.0)
    assert invitations.redeem(secret, KEY, 1.0, admit) == answer()
    with pytest.raises(PeerRefusedError, match=r"let in edge 'porch' already.*deepthings revoke porch"):
        invitations.redeem(secret, OTHER_KEY, 2.0, admit)
    assert admit.times == 1


def test_the_same_key_gets_the_same_answer_within_the_hour(admit):
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 0.0)
    first = invitations.redeem(secret, KEY, 1.0, admit)
    assert invitations.redeem(secret, KEY, INVITATION_S - 1, admit) == first
    assert admit.times == 1
    with pytest.raises(PeerRefusedError, match="not valid"):
        invitations.redeem(secret, KEY, INVITATION_S, admit)


def test_an_invitation_ends_after_an_hour(admit):
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 100.0)
    assert invitations.closes_in_s(100.0) == INVITATION_S
    assert invitations.closes_in_s(100.0 + INVITATION_S) == 0
    with pytest.raises(PeerRefusedError, match="older than an hour"):
        invitations.redeem(secret, KEY, 100.0 + INVITATION_S, admit)


def test_a_device_that_was_refused_can_try_again(admit):
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 0.0)

    def refuse(_):
        raise PeerRefusedError("the name is taken")

    with pytest.raises(PeerRefusedError, match="taken"):
        invitations.redeem(secret, KEY, 1.0, refuse)
    assert invitations.redeem(secret, OTHER_KEY, 2.0, admit) == answer()


def test_twenty_wrong_codes_end_all_invitations(admit):
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 0.0)
    for _ in range(MAX_WRONG_CODES - 1):
        with pytest.raises(PeerRefusedError):
            invitations.redeem(new_secret(), KEY, 1.0, admit)
    assert not invitations.ended_by_wrong_codes
    assert invitations.closes_in_s(1.0) > 0
    with pytest.raises(PeerRefusedError):
        invitations.redeem(new_secret(), KEY, 1.0, admit)
    assert invitations.ended_by_wrong_codes
    assert invitations.closes_in_s(1.0) == 0
    with pytest.raises(PeerRefusedError):
        invitations.redeem(secret, KEY, 1.0, admit)
    assert admit.times == 0


def test_a_new_invitation_begins_a_new_count_of_wrong_codes(admit):
    invitations = DeviceInvitations()
    for _ in range(MAX_WRONG_CODES):
        with pytest.raises(PeerRefusedError):
            invitations.redeem(new_secret(), KEY, 0.0, admit)
    secret = invitations.invite(Role.EDGE, None, 0.0)
    assert not invitations.ended_by_wrong_codes
    assert invitations.redeem(secret, KEY, 1.0, admit) == answer()


def test_the_invitation_of_a_revoked_member_gives_no_answer_any_more(admit):
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 0.0)
    invitations.redeem(secret, KEY, 1.0, admit)
    invitations.withdraw(Role.EDGE, "porch")
    with pytest.raises(PeerRefusedError, match="not valid"):
        invitations.redeem(secret, KEY, 2.0, admit)


def test_open_invitations_are_bounded_and_ended_ones_do_not_count():
    invitations = DeviceInvitations()
    for _ in range(MAX_INVITATIONS):
        invitations.invite(Role.EDGE, None, 0.0)
    with pytest.raises(PeerRefusedError, match=f"{MAX_INVITATIONS} invitations"):
        invitations.invite(Role.EDGE, None, 1.0)
    invitations.invite(Role.EDGE, None, INVITATION_S)


def test_the_secret_is_kept_as_its_hash_only():
    invitations = DeviceInvitations()
    secret = invitations.invite(Role.EDGE, None, 0.0)
    assert secret not in repr(vars(invitations))
