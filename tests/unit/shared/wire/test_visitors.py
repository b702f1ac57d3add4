from shared.wire.visitors import MAX_VISITORS, VISITOR_TTL_S, Visitors


def test_a_refused_peer_is_a_problem_for_a_while():
    visitors = Visitors()
    visitors.note_refused("10.0.0.9", 5.0, "it has no keys")
    assert visitors.problems(6.0) == ["10.0.0.9 was refused: it has no keys"]
    assert visitors.problems(6.0 + VISITOR_TTL_S) == []


def test_a_peer_without_keys_is_new_once_until_it_stays_away():
    visitors = Visitors()
    assert [visitors.note_plain("10.0.0.9", now) for now in (0.0, 1.0, VISITOR_TTL_S, 3 * VISITOR_TTL_S)] == [
        True, False, False, True,
    ]  # fmt: skip
    assert visitors.problems(1.0) == []


def test_a_stranger_with_many_addresses_does_not_fill_the_memory():
    visitors = Visitors()
    for number in range(3 * MAX_VISITORS):
        visitors.note_refused(f"10.0.0.{number}", 0.0, "")
    assert len(visitors.problems(0.0)) == MAX_VISITORS
