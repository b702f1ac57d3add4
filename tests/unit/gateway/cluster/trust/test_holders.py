from gateway.cluster.trust.holders import GRANT_KEPT_S, MAX_KEPT_GRANTS, TileHolders


def test_a_node_sends_results_for_its_own_frames_and_for_those_that_it_was_given():
    holders = TileHolders()
    holders.grant("pi-2", "pi-1", 10.0)
    assert holders.may_send("pi-1", "pi-1", 10.0)
    assert holders.may_send("pi-2", "pi-1", 10.0 + GRANT_KEPT_S - 1)
    assert not holders.may_send("pi-2", "pi-1", 10.0 + GRANT_KEPT_S)
    assert not holders.may_send("pi-1", "pi-2", 10.0), "a grant is for one direction"
    assert not holders.may_send("pi-3", "pi-1", 10.0)


def test_the_oldest_of_too_many_grants_is_forgotten():
    holders = TileHolders()
    for number in range(MAX_KEPT_GRANTS + 1):
        holders.grant(f"pi-{number}", "owner", 0.0)
    assert not holders.may_send("pi-0", "owner", 0.0)
    assert holders.may_send("pi-1", "owner", 0.0)
