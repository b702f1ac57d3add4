import pytest

from gateway.authority.cluster_keys import begin_without_keys, open_cluster_keys
from shared.security.member_list import Role


def is_open(state, policy="until joined"):
    return open_cluster_keys(state, "gateway", policy).members.list.open


def test_a_new_cluster_is_closed(tmp_path):
    assert not is_open(tmp_path / "state")


def test_the_cluster_of_a_release_without_keys_is_open_until_it_is_closed(tmp_path):
    (tmp_path / "retained.json").write_text("{}")
    keys = open_cluster_keys(tmp_path, "gateway", "until joined")
    assert keys.members.list.open
    assert is_open(tmp_path)
    keys.members.set_open(is_open=False)
    assert not is_open(tmp_path)


@pytest.mark.parametrize("starts", [1, 2])
def test_a_gateway_that_began_on_loopback_has_a_closed_cluster_later(tmp_path, starts):
    for _ in range(starts):
        begin_without_keys(tmp_path)
        (tmp_path / "retained.json").write_text("{}")
    assert not is_open(tmp_path)


def test_an_update_that_begins_on_loopback_still_has_the_edges_of_the_release_before(tmp_path):
    (tmp_path / "retained.json").write_text("{}")
    begin_without_keys(tmp_path)
    assert is_open(tmp_path)


def test_a_gateway_without_keys_needs_no_state_folder(tmp_path):
    (tmp_path / "file").touch()
    begin_without_keys(tmp_path / "file" / "state")


def test_a_damaged_list_of_members_does_not_open_the_cluster(tmp_path):
    open_cluster_keys(tmp_path, "gateway", "until joined")
    (tmp_path / "members.json").write_text("garbage")
    assert not is_open(tmp_path)


@pytest.mark.parametrize(("policy", "expected"), [("always", True), ("never", False)])
@pytest.mark.parametrize("served_before", [True, False])
def test_the_configuration_decides_if_it_says_so(tmp_path, policy, expected, served_before):
    if served_before:
        (tmp_path / "retained.json").write_text("{}")
    assert is_open(tmp_path, policy) is expected


def test_the_gateway_and_its_own_edge_are_members(tmp_path):
    keys = open_cluster_keys(tmp_path, "gateway", "never")
    assert {(member.role, member.name) for member in keys.members.list.members} == {
        (Role.GATEWAY, "gateway"), (Role.EDGE, "gateway")}  # fmt: skip
    again = open_cluster_keys(tmp_path, "gateway", "never")
    assert again.members.list == keys.members.list
