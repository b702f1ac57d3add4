"""Loads a model for a gateway and makes graphs of it: python -P -m gateway.models.model_serving DESCRIPTOR LEVEL

DESCRIPTOR is the file descriptor of the connection with the gateway, LEVEL the level of the log. The first request is
the name and the weights of a model, each further request a method of LocalGraphs and its arguments.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from dataclasses import fields
from multiprocessing.connection import Connection

from gateway.models.catalogue import open_model
from gateway.models.graphs import LocalGraphs
from shared.errors import DeepThingsError
from shared.logs.setup import configure_logging

LOCAL_FIELDS = frozenset(["original", "proto", "source"])
"""Fields of a model that stay in this process."""


def serve_model(connection: Connection) -> None:
    """Open a model and answer requests, until the gateway closes the connection. An error is sent as the answer."""
    try:
        model = open_model(*connection.recv())
        connection.send({f.name: getattr(model, f.name) for f in fields(model) if f.name not in LOCAL_FIELDS})
        graphs = LocalGraphs(model.original, model.proto, model.network)
        while True:
            graph, arguments = connection.recv()
            connection.send(getattr(graphs, graph)(*arguments))
    except (DeepThingsError, OSError) as error:
        connection.send(error)


def main() -> None:
    """Serve one model."""
    configure_logging(int(int(sys.argv[2]) <= logging.DEBUG))
    with contextlib.suppress(EOFError, ConnectionError), Connection(int(sys.argv[1])) as connection:
        serve_model(connection)


if __name__ == "__main__":
    main()
