"""mqtt:// and mqtts://: cameras that publish pictures, JPEG or PNG, on a topic."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from camera_sources.http.multipart import MAX_PICTURE_BYTES
from camera_sources.http.web_client import unreachable_reason, unverified_tls_context
from camera_sources.kinds.inbox import PictureInbox
from camera_sources.pictures.image_decoding import decode_picture
from camera_sources.source import OPENING_S, Grab, LiveSource, WrongPasswordError, no_picture_for
from camera_sources.urls.locator import Locator
from camera_sources.urls.redaction import redacted
from shared.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from collections.abc import Generator

    from paho.mqtt.reasoncodes import ReasonCode

    from camera_sources.camera_settings import CameraSettings

_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}

_KEEPALIVE_S = 15
"""MQTT's keep-alive: a broker that no longer answers is noticed after 1.5 times this."""

_REFUSAL_REASONS = {
    134: "wrong password",
    135: "wrong password, or no permission",
    4: "wrong password",
    5: "wrong password, or no permission",
}
"""Reasons by the codes of MQTT 5 and 3.1.1."""


class MqttCamera(LiveSource):
    """mqtt://[user:password@]host[:port]/topic, mqtts:// with TLS. Retained pictures are ignored, as they are old."""

    def __init__(self, settings: CameraSettings) -> None:
        """Read the URL. Raises ConfigurationError if it has no host, or not exactly one topic."""
        url = settings.source.get_secret_value()
        self._locator = Locator.parse(url)
        self._topic = unquote(self._locator.target.removeprefix("/"))
        if not self._topic or any(mark in self._topic for mark in "+#\0") or "#" in url.rpartition("@")[2]:
            raise ConfigurationError(
                f"camera source {redacted(url)} must name one topic, without + and #; write mqtt://host/topic"
            )
        self._patience_s = settings.stale_after

    def grabs(self) -> Generator[Grab, None, None]:
        inbox = PictureInbox()
        client = self._client(inbox)
        until = time.monotonic() + self._patience_s
        try:
            client.connect(self._locator.host, self._locator.port or _MQTT_PORTS[self._locator.scheme], _KEEPALIVE_S)
        except OSError as error:
            raise SourceError(unreachable_reason(error)) from None
        client.loop_start()
        try:
            while True:
                found = inbox.take_picture(until - time.monotonic())
                if found is None:
                    raise SourceError(no_picture_for(self._patience_s))
                captured_at, data = found
                yield Grab(captured_at, lambda: decode_picture(data))  # noqa: B023  (decoded before the next)
                until = time.monotonic() + self._patience_s
        finally:
            client.disconnect()
            client.loop_stop()

    def _client(self, inbox: PictureInbox) -> mqtt.Client:
        """Return a client that puts pictures into `inbox`."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=False)
        client.connect_timeout = OPENING_S
        if self._locator.user or self._locator.password:
            client.username_pw_set(self._locator.user, self._locator.password or None)
        if self._locator.scheme == "mqtts":
            client.tls_set_context(unverified_tls_context())

        def on_connect(client: mqtt.Client, _: object, __: object, code: ReasonCode, ___: object) -> None:
            if code.is_failure:
                known = _REFUSAL_REASONS.get(code.value)
                inbox.fail(
                    WrongPasswordError(known) if known else SourceError(f"the broker refuses: {str(code).lower()}")
                )
            else:
                client.subscribe(self._topic, qos=0)

        def on_subscribe(_: mqtt.Client, __: object, ___: object, codes: list[ReasonCode], ____: object) -> None:
            if any(code.is_failure for code in codes):
                inbox.fail(SourceError("this user has no permission to read the topic"))

        def on_message(_: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
            if not message.retain and 0 < len(message.payload) <= MAX_PICTURE_BYTES:
                inbox.put_picture(time.time(), bytes(message.payload))

        def on_disconnect(*_: object) -> None:
            inbox.fail(SourceError("the broker closed the connection"))

        client.on_connect, client.on_subscribe = on_connect, on_subscribe
        client.on_message, client.on_disconnect = on_message, on_disconnect
        return client
