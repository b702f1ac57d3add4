import pytest

from gateway.authority.authority import Authority
from gateway.authority.member_store import MemberStore
from gateway.state.state_folder import StateFolder


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "keys")


@pytest.fixture
def members(tmp_path, authority):
    return MemberStore(StateFolder(tmp_path), (authority.identity.member,))
