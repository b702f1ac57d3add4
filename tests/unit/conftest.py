"""What holds for every unit test: no network."""

from __future__ import annotations

import socket

import pytest

from camera_sources.open_source import open_source
from camera_sources.source import FOOTAGE
from gateway.models.catalogue import DEFAULT_MODEL, open_model
from shared.model.letterbox import Letterbox


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Creating an internet socket fails; the event loop's own socketpair is of another family."""
    create = socket.socket.__init__

    def refuse(self, family=-1, type=-1, proto=-1, fileno=None):  # noqa: A002  (socket's own signature)
        if fileno is None and family in {-1, socket.AF_INET, socket.AF_INET6}:
            pytest.fail("a unit test opened a socket: test the pure part here, the rest in tests/integration")
        create(self, family, type, proto, fileno)

    monkeypatch.setattr(socket.socket, "__init__", refuse)


@pytest.fixture(scope="session")
def nanodet():
    """The built-in model."""
    return open_model(DEFAULT_MODEL)


@pytest.fixture(scope="session")
def street(nanodet):
    """The first picture of the bundled clip, letterboxed for the built-in model: uint8 (416, 416, 3)."""
    picture = next(open_source(str(FOOTAGE)).pictures())
    return Letterbox(*picture.shape[:2], *nanodet.network.input_size).apply(picture, nanodet.spec.preprocessing)
