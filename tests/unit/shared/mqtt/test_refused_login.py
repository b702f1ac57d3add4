from __future__ import annotations

from shared.mqtt.broker_login import ANONYMOUS, Login
from shared.mqtt.refused_login import refusal_message
from shared.network.addresses import Address

BROKER = Address("192.168.1.10", 7883)


def test_a_device_without_keys_is_told_how_to_join():
    message = refusal_message(BROKER, ANONYMOUS, "not authorised")
    assert message.startswith("broker 192.168.1.10:7883 refuses devices without keys: run 'deepthings invite'")
    assert "The gateway's own has port 7883" in message


def test_an_edge_that_was_revoked_is_told_its_name_and_nobody_its_password():
    message = refusal_message(BROKER, Login("edge.attic", "hunter2"), "not authorised")
    assert "run 'deepthings invite attic' on the gateway" in message
    assert "hunter2" not in message


def test_others_are_told_to_look_at_their_password():
    message = refusal_message(BROKER, Login("anna", "hunter2"), "bad user name or password")
    assert message.endswith("bad user name or password; check the user name and the password")
    assert "hunter2" not in message
