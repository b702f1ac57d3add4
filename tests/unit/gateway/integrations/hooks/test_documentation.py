"""What docs/hooks.md shows works."""

from __future__ import annotations

import re
import time
from pathlib import Path

import yaml

from gateway.configuration.automation import HooksSection
from gateway.integrations.hooks.command import KEPT_VARIABLES, TERMINATION_GRACE_S
from gateway.integrations.hooks.delivery import Delivery
from gateway.integrations.hooks.queue import HOOK_LOG_PERIOD_S, MAX_CONCURRENT_DELIVERIES, MAX_WAITING_DELIVERIES
from gateway.integrations.hooks.signing import webhook_headers
from tests.hook_events import event

PAGE = (Path(__file__).parents[5] / "docs" / "hooks.md").read_text("utf-8")


def block(language):
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def test_the_example_is_a_configuration():
    text = block("yaml").replace("!secret hook_secret", "s3cret").replace("${HOOK_TOKEN}", "t0ken")
    hooks = HooksSection.model_validate(yaml.safe_load(text)["hooks"])
    assert (len(hooks.webhooks), len(hooks.commands)) == (1, 1)
    assert hooks.webhooks[0].timeout == 5
    assert hooks.commands[0].events == ("trigger",)


def test_the_receiver_knows_us_and_nobody_else():
    shown = {}
    exec(block("python"), shown)  # noqa: S102  (our own page)
    is_ours = shown["is_ours"]
    delivery = Delivery.from_event(event())
    assert is_ours(webhook_headers(delivery, "a secret", time.time()), delivery.body, "a secret")
    assert not is_ours(webhook_headers(delivery, "a secret", time.time()), delivery.body, "another")
    assert not is_ours(webhook_headers(delivery, "a secret", time.time()), delivery.body + b" ", "a secret")
    assert not is_ours(webhook_headers(delivery, "a secret", time.time() - 301), delivery.body, "a secret")


def test_the_bounds_are_what_the_page_says():
    assert (MAX_CONCURRENT_DELIVERIES, MAX_WAITING_DELIVERIES, HOOK_LOG_PERIOD_S, TERMINATION_GRACE_S) == (
        4,
        100,
        60,
        1,
    )
    assert all(f"`{name}`" in PAGE for name in KEPT_VARIABLES)
