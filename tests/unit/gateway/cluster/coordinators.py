"""Coordinators with tasks, and whom they send where."""

from __future__ import annotations

import copy

from gateway.cluster.coordinator import Coordinator


def with_tasks(**waiting):
    """A coordinator with these announcements, in this order."""
    coordinator = Coordinator()
    for owner, count in waiting.items():
        assert coordinator.on_announcement(owner, count) == []
    return coordinator


def parked(coordinator):
    """The nodes whose requests are parked, longest first: those that get the tasks of a new owner."""
    return [match.thief for match in copy.deepcopy(coordinator).on_announcement("new owner", 1000)]


def victims(coordinator, count, thief="thief"):
    """The victims that a thief is granted, one request after the other; None where it is parked."""
    found = []
    for _ in range(count):
        matches = coordinator.on_request(thief)
        found.append(matches[0].victim if matches else None)
    return found
