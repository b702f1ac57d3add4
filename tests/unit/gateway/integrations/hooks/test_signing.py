from __future__ import annotations

import json

import pytest

from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.signing import signature, webhook_headers
from tests.hook_events import event, trigger

VECTORS = [  # printf '%s.%s' "$timestamp" "$body" | openssl dgst -sha256 -hmac "$secret"
    ("a secret", "1700000000", b'{"a":1}', "b4c5d5c08194254de18b80695176335ee482a5907fb5e68f7bd993b1b00b018d"),
    (
        "geheim ä",
        "1700000000",
        '{"label":"Bär"}'.encode(),
        "66e4ab4521f23ad556eddbccb99f8178926a8a6b2b209838bf445a2196e57b8d",
    ),
    ("", "0", b"", "b849d5a581847b281957065739df36df2463d1977ea8d6e1e4e6cf33fadc68c3"),
]


@pytest.mark.parametrize(("secret", "timestamp", "body", "expected"), VECTORS)
def test_the_signature_is_what_openssl_makes_of_it(secret, timestamp, body, expected):
    assert signature(secret, timestamp, body) == f"sha256={expected}"


def test_the_headers_say_what_is_sent_and_are_signed_with_the_time_of_sending():
    delivery = Delivery.from_event(event())
    made = webhook_headers(delivery, "a secret", 1700000000.9)
    assert made == {
        "Content-Type": "application/json",
        "X-DeepThings-Event": "new",
        "X-DeepThings-Delivery": delivery.id,
        "X-DeepThings-Timestamp": "1700000000",
        "X-DeepThings-Signature": signature("a secret", "1700000000", delivery.body),
    }


def test_without_a_secret_nothing_is_signed():
    assert "X-DeepThings-Signature" not in webhook_headers(Delivery.from_event(event()), None, 1.0)


@pytest.mark.parametrize("seen", [event(), trigger("person_in_yard", zone="yard")])
def test_a_delivery_is_the_event_as_it_is_on_mqtt(seen):
    delivery = Delivery.from_event(seen)
    assert type(seen).model_validate(json.loads(delivery.body)) == seen
    assert (delivery.camera, delivery.label, delivery.object) == (seen.camera, seen.label, seen.id)
    assert delivery.id != Delivery.from_event(seen).id
