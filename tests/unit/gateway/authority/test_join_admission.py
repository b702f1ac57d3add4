import pytest

from gateway.authority.device_invitations import INVITATION_S
from gateway.authority.join_admission import Admission, ClusterAccess
from shared.errors import PeerRefusedError
from shared.security.certificates import der_of, member_in
from shared.security.issuing import is_issued_by, make_key, public_key_of
from shared.security.join_messages import JoinRequest
from shared.security.member_list import Role
from tests.unit.clocks import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def admission(authority, members, clock):
    return Admission(authority, members, ClusterAccess(7883, "deepthings"), clock)


def request(secret, *, key=None, name=None, host="raspberrypi"):
    return JoinRequest(secret=secret, public_key=public_key_of(key or make_key()).decode(), name=name, host=host)


def test_a_device_becomes_the_member_that_its_answer_says(admission, members, authority):
    answer = admission.join(request(admission.invite(Role.EDGE, None, again=False), name="porch"))
    member = member_in(der_of(answer.certificate.encode()))
    assert is_issued_by(answer.certificate.encode(), authority.certificate)
    assert (answer.role, answer.name, answer.port, answer.topic_prefix) == (Role.EDGE, "porch", 7883, "deepthings")
    assert answer.token == authority.token_of(member)
    assert members.list.admit(Role.EDGE, "porch", member.key_hash) == member


@pytest.mark.parametrize(
    ("invited", "asked", "named"),
    [("porch", None, "porch"), ("porch", "porch", "porch"), (None, "hall", "hall"), (None, None, "raspberrypi")],
)
def test_the_name_is_the_invitations_else_the_one_asked_for_else_the_hosts(admission, invited, asked, named):
    secret = admission.invite(Role.EDGE, invited, again=False)
    assert admission.join(request(secret, name=asked)).name == named


def test_a_code_for_one_name_lets_in_no_other(admission):
    secret = admission.invite(Role.EDGE, "porch", again=False)
    with pytest.raises(PeerRefusedError, match=r"this code is for edge 'porch'.*deepthings invite hall"):
        admission.join(request(secret, name="hall"))
    assert admission.join(request(secret)).name == "porch"  # it was not used up


def test_the_role_is_the_invitations(admission, members):
    answer = admission.join(request(admission.invite(Role.CAMERA, "yard", again=False)))
    assert answer.role is Role.CAMERA
    assert members.list.find(Role.CAMERA, "yard") is not None
    assert members.list.find(Role.EDGE, "yard") is None


def test_a_second_device_of_a_name_is_refused_when_it_is_invited(admission):
    admission.join(request(admission.invite(Role.EDGE, "porch", again=False)))
    with pytest.raises(PeerRefusedError, match=r"is a member already.*invite porch --again"):
        admission.invite(Role.EDGE, "porch", again=False)


def test_a_second_device_of_a_name_is_refused_when_it_joins(admission, members):
    admission.join(request(admission.invite(Role.EDGE, None, again=False), name="porch"))
    before = members.list
    secret = admission.invite(Role.EDGE, None, again=False)
    with pytest.raises(PeerRefusedError, match=r"join --name NAME.*invite porch --again"):
        admission.join(request(secret, name="porch"))
    assert members.list == before
    assert admission.join(request(secret, name="hall")).name == "hall"


def test_a_card_that_was_installed_again_takes_the_place_of_the_old_one(admission, members):
    old, new = make_key(), make_key()
    first = admission.join(request(admission.invite(Role.EDGE, "porch", again=False), key=old))
    admission.join(request(admission.invite(Role.EDGE, "porch", again=True), key=new))
    with pytest.raises(PeerRefusedError, match="another key"):
        members.list.admit(Role.EDGE, "porch", member_in(der_of(first.certificate.encode())).key_hash)


def test_a_revoked_device_can_be_invited_again(admission, members):
    key = make_key()
    admission.join(request(admission.invite(Role.EDGE, "porch", again=False), key=key))
    admission.revoke(None, "porch")
    assert members.list.find(Role.EDGE, "porch") is None
    assert admission.join(request(admission.invite(Role.EDGE, "porch", again=False), key=key)).name == "porch"


def test_a_revoked_device_cannot_use_its_code_again(admission, members):
    secret, key = admission.invite(Role.EDGE, "porch", again=False), make_key()
    admission.join(request(secret, key=key))
    admission.revoke(None, "porch")
    with pytest.raises(PeerRefusedError, match="not valid"):
        admission.join(request(secret, key=key))
    assert members.list.find(Role.EDGE, "porch") is None


def test_a_copied_card_is_named(admission):
    key = make_key()
    admission.join(request(admission.invite(Role.EDGE, "porch", again=False), key=key))
    with pytest.raises(PeerRefusedError, match="edge 'hall' has the key of edge 'porch'"):
        admission.join(request(admission.invite(Role.EDGE, "hall", again=False), key=key))


def test_the_answer_of_a_repeated_request_is_the_same(admission, members, clock):
    wanted = request(admission.invite(Role.EDGE, None, again=False))
    first, revision = admission.join(wanted), members.list.revision
    clock.now += INVITATION_S - 1
    assert admission.join(wanted) == first
    assert members.list.revision == revision


def test_no_invitation_is_open_after_an_hour(admission, clock):
    secret = admission.invite(Role.EDGE, None, again=False)
    assert admission.open_for_s() == INVITATION_S
    clock.now += INVITATION_S
    assert admission.open_for_s() == 0
    with pytest.raises(PeerRefusedError, match="older than an hour"):
        admission.join(request(secret))


def test_what_is_no_key_uses_up_nothing(admission):
    secret = admission.invite(Role.EDGE, None, again=False)
    with pytest.raises(PeerRefusedError, match="public key cannot be read"):
        admission.join(JoinRequest(secret=secret, public_key="garbage", host="pi"))
    assert admission.join(request(secret)).name == "raspberrypi"
