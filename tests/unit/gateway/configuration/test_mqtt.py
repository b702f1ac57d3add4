"""The login to the broker of the house, as the file has it."""

from __future__ import annotations

from shared.mqtt.broker_login import Login, Tls

HIDDEN = "hunter2"


def test_without_a_key_the_gateways_own_broker_is_for_everybody(reading):
    mqtt = reading("").require_valid().mqtt
    assert (mqtt.host, mqtt.port, mqtt.login) == (None, 1883, Login())


def test_user_and_password_are_those_of_the_file_and_are_never_shown(reading):
    text = "mqtt: {host: box, username: deepthings, password: !secret mqtt}"
    mqtt = reading(text, secrets=f"mqtt: {HIDDEN}").require_valid().mqtt
    assert mqtt.login == Login("deepthings", HIDDEN)
    assert HIDDEN not in repr(mqtt) + repr(mqtt.login)


def test_a_password_may_be_in_a_file_of_its_own(reading, tmp_path):
    (tmp_path / "password").write_text(f"{HIDDEN}\n")
    assert (
        reading("mqtt: {host: box, username: me, password: !file password}").require_valid().mqtt.login.password
        == HIDDEN
    )


def test_a_file_that_is_not_there_is_named(told):
    (mistake,) = told("mqtt: {host: box, username: me, password: !file password}")
    assert mistake == (
        "deepthings.yaml:1: mqtt.password: password cannot be read: no such file or directory; write the path of a file"
    )


def test_encryption_may_be_switched_on_alone_and_has_a_port_of_its_own(reading):
    mqtt = reading("mqtt: {host: box, tls: true}").require_valid().mqtt
    assert (mqtt.port, mqtt.login) == (8883, Login(tls=Tls()))
    assert reading("mqtt: {host: box, tls: true, port: 1884}").require_valid().mqtt.port == 1884
    assert reading("mqtt: {host: box, tls: false}").require_valid().mqtt.login.tls is None


def test_files_of_certificates_are_beside_the_configuration(reading, tmp_path):
    for name in ("ca.pem", "me.pem", "me.key"):
        (tmp_path / name).touch()
    text = "mqtt:\n  host: 192.168.1.2\n  tls: {ca: ca.pem, certificate: me.pem, key: me.key, server_name: box.lan}"
    tls = reading(text).require_valid().mqtt.login.tls
    assert tls == Tls(tmp_path / "ca.pem", tmp_path / "me.pem", tmp_path / "me.key", "box.lan")


def test_a_key_needs_a_certificate(told, tmp_path):
    (tmp_path / "me.key").touch()
    (mistake,) = told("mqtt:\n  host: box\n  tls:\n    key: me.key")
    assert "mqtt.tls: key without certificate; write certificate, or remove key" in mistake
