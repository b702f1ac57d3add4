from __future__ import annotations

import pytest

from tests.contract import broken_promise


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("deepthings/cameras/front/threshold/state", b"0.7"),
        ("deepthings/cameras/front/threshold/state", b"null"),
        ("deepthings/cameras/front/labels/state", b'["person"]'),
        ("deepthings/cameras/front/detect/state", b"ON"),
        ("deepthings/cameras/front/availability", b""),
        ("deepthings/detections/front/snapshot", b"\xff\xd8\xff"),
        ("homeassistant/status", b"online"),
    ],
)
def test_what_is_promised_is_good(topic, payload):
    assert broken_promise(topic, payload) is None


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("deepthings/cameras/front/threshold/state", b"None"),
        ("deepthings/cameras/front/threshold/state", b'"0.7"'),
        ("deepthings/cameras/front/detect/state", b"on"),
        ("deepthings/cameras/front/stats", b"{}"),
        ("deepthings/cameras/front/colour/state", b"red"),
        ("deepthings/detections/front/snapshot", b"{}"),
    ],
)
def test_what_is_not_promised_is_told_with_its_topic(topic, payload):
    assert (broken_promise(topic, payload) or "").startswith(topic)
