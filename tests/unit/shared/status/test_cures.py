from __future__ import annotations

import pytest

from gateway.bridge.health import GatewayHealth
from gateway.cameras.mismatches import places_outside
from gateway.cameras.presence import CameraPresence
from gateway.configuration.root import Configuration
from gateway.membership.reachability import Contacts, contact_problems
from shared.payloads.cluster import Identity, NodeState, State, UnreachedPeer
from shared.status.cures import find_cure


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("no edge is connected", "joins first: deepthings invite NAME"),
        ("edge attic is offline", "switch its device on"),
        ("edge attic has release 1.1.0, the gateway 1.2.0", "install the same release on both"),
        ("edge attic did not compute 3 tiles: no memory; it gets no work until it has passed a test", "power supply"),
        ("edge attic does not follow the plan: it does not fit its program", "its log"),
        (
            "edge attic does not follow the plan: program cache /x cannot be written: the disk is full; name ...",
            "df -h",
        ),
        ("state folder /x cannot be written (permission denied): cameras may move", "must be able to write there"),
        ("camera garden: wrong password; trying again after 5 min", "correct user and password"),
        ("camera garden: not reachable: no route to it (is the network up?)", "power and network"),
        ("camera garden: codec not decodable", "H.264"),
        ("camera garden: its edge attic is gone", "switch that device on"),
        ("camera garden: edge attic not found; known edges: none", "start that edge"),
        ("camera garden: something unheard of", "deepthings camera shot garden"),
        ("frames of camera garden were lost recently", "deepthings/cameras/garden/stats"),
    ],
)
def test_a_problem_has_a_cure_that_names_what_it_is_about(problem, words):
    assert words in find_cure(problem)


@pytest.mark.parametrize(
    "problem",
    [
        "camera garden: it streams over UDP only; write transport: udp",
        "two edges are called x: the one on a is used, the one on b is not: give one of them a name of its own",
        "edge attic is refused: it speaks version 4 of the protocol, the gateway version 5: install the same release",
        "something else",
    ],
)
def test_what_says_it_already_or_is_unheard_of_has_none(problem):
    assert find_cure(problem) == ""


def test_what_the_gateway_finds_wrong_has_a_cure_or_says_it():
    """The sentences are those of the parts that make them: a word that changes there fails here."""
    health = GatewayHealth(0.0)
    told = list(health.report(5.0, 0.0, 0, (0, 1), {"door": "no picture for 30 s"}).problems)
    presence = CameraPresence()
    presence.expect_cameras(["door"])
    told.append(f"camera door: {presence.offline_reason('door')}")
    far = NodeState(
        node="far", state=State.ONLINE, protocol=5, host="127.0.0.1", port=1,
        identity=Identity(network="b", device="pi"),
    )  # fmt: skip
    near = far.model_copy(update={"node": "near", "host": "10.0.0.2", "identity": Identity(network="a")})
    peers = {"near": [UnreachedPeer(host="10.0.0.1", port=7, reason="no route to it")]}
    facts = Contacts(Identity(network="a"), "10.0.0.1", 7, {"far": far, "near": near}, {"near": ("x:1", "lost")}, peers)
    found = contact_problems(facts)
    assert len(found) >= 3
    for problem in [*told, *found]:
        assert find_cure(problem) or any(verb in problem for verb in (": start", "; check", ": set")), problem


def test_a_zone_outside_its_pictures_is_drawn_again_with_a_shot():
    door = {"source": "test://", "zones": {"yard": {"coordinates": "200,200,300,200,300,300"}}}
    configuration = Configuration.model_validate({"cameras": {"door": door}})
    (told,) = places_outside(configuration.cameras, {"door": (100, 100)}, {"door": configuration.objects})
    assert "deepthings camera shot door" in find_cure(told)
