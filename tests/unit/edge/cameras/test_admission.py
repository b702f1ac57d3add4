from __future__ import annotations

import pytest

from edge.cameras.admission import AgentIdentity, refusal_reason

OWN, OTHER, STRANGER = (
    AgentIdentity("own", "127.0.0.1:1"),
    AgentIdentity("other", "10.0.0.5:2"),
    AgentIdentity("stranger", "10.0.0.6:3"),
)


@pytest.mark.parametrize(
    ("newcomer", "present", "own_token"),
    [
        (STRANGER, None, None),
        (OTHER, OTHER, None),
        (AgentIdentity("other", "10.0.0.5:9"), OTHER, None),
        (OWN, None, "own"),
        (OWN, OTHER, "own"),
        (OWN, OWN, "own"),
    ],
    ids=["nobody is there", "comes again", "from another port", "own", "own before another", "own comes again"],
)
def test_who_may_feed_a_camera(newcomer, present, own_token):
    assert not refusal_reason("front", newcomer, present, own_token)


@pytest.mark.parametrize(
    ("newcomer", "present", "own_token", "words"),
    [
        (STRANGER, OTHER, None, "already fed by another agent, connected from 10.0.0.5:2; stop that one"),
        (AgentIdentity("", "10.0.0.6:3"), OTHER, None, "already fed"),
        (STRANGER, OWN, "own", "assigned to this edge, which runs its own agent for it"),
        (STRANGER, None, "own", "assigned to this edge"),
        (OTHER, OTHER, "own", "assigned to this edge"),
    ],
)
def test_a_stranger_is_told_who_feeds_the_camera_and_what_to_do(newcomer, present, own_token, words):
    said = refusal_reason("front", newcomer, present, own_token)
    assert said.startswith("camera front is ")
    assert words in said
    assert said.endswith("another --name")
