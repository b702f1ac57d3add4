from __future__ import annotations

import re

from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.client_ids import edge_client_id, edge_login_name, gateway_client_id, unguessable


def test_the_usual_ids_stay():
    assert gateway_client_id() == "deepthings-gateway"
    assert edge_client_id("shed") == "deepthings-edge-shed"


def test_no_two_processes_of_different_prefixes_have_one_id():
    prefixes = ["deepthings", "barn", "barn/things", "barn-things", "deepthings-edge", "gateway"]
    names = ["gateway", "shed", "shed-barn", "edge-shed"]
    ids = [gateway_client_id(prefix) for prefix in prefixes]
    ids += [edge_client_id(name, prefix) for prefix in prefixes for name in names]
    assert len(set(ids)) == len(ids)
    assert not any("/" in said for said in ids)


def test_nobody_guesses_the_client_id_of_a_process_with_a_login():
    login = Login("edge.attic", "token")
    ids = {unguessable("deepthings-edge-attic", login) for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(r"deepthings-edge-attic\.[0-9a-f]{16}", client_id) for client_id in ids)


def test_the_client_id_of_a_process_without_a_login_is_as_it_was():
    assert unguessable("deepthings-edge-attic", ANONYMOUS) == "deepthings-edge-attic"


def test_the_user_name_of_an_edge_can_be_no_other_ones():
    """Names of nodes have no dot, and Mosquitto's password file has a colon behind the name."""
    assert edge_login_name("attic") == "edge.attic"
    assert ":" not in edge_login_name("attic")
