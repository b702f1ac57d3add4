"""Loads a model in a child process, and requests graphs from it.

Loading takes several times the memory of the weights, and libraries that nothing else in a gateway needs. All this
memory is free again when the process has ended.
"""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, cast

from gateway.models.catalogue import Model
from shared.errors import ModelError
from shared.process.children import parent_death_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import onnx

    from shared.engine.program_parts import BuiltProgram
    from shared.ftp.stage import Stage
    from shared.model.picture_input import PictureForm
    from shared.model.spec import Preprocessing

SERVING_MODULE = "gateway.models.model_serving"

_STOP_TIMEOUT_S = 2.0
"""Time for the process to end. It ends at once when its connection is closed, unless it is making a graph."""


def open_model_apart(name: str, weights: Path | None = None) -> Model:
    """Open a model in a child process; arguments and errors as in `open_model`.

    The model has no `original` and no `proto` in this process, only `graphs`. The child process runs until
    `Model.forget_weights`; if graphs are requested later, another one is started.
    """
    process = ModelProcess(name, weights)
    absent = cast("onnx.ModelProto", None)
    return Model(original=absent, proto=absent, source=process, **process.open())


class ModelProcess:
    """Makes graphs in a child process. It is a GraphSource."""

    def __init__(self, name: str, weights: Path | None) -> None:
        self._model = name, weights
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def open(self) -> dict[str, Any]:
        """Start the process and open the model; return its fields without weights. Raises as `open_model` does."""
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        with theirs:
            self._process = subprocess.Popen(
                [*parent_death_prefix(), sys.executable, "-P", "-m", SERVING_MODULE, str(theirs.fileno()),
                 str(logging.getLogger().level)],
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        fields: dict[str, Any] = self._request(self._model)
        return fields

    def programs(self, stages: Sequence[Stage], preprocessing: Preprocessing) -> tuple[BuiltProgram, ...]:
        """Return the programs of the stages, see LocalGraphs."""
        programs: tuple[BuiltProgram, ...] = self._make("programs", stages, preprocessing)
        return programs

    def tail(self, cut: Sequence[str]) -> bytes:
        """Return the layers behind the cut, see LocalGraphs."""
        tail: bytes = self._make("tail", cut)
        return tail

    def whole_head(self, cut: Sequence[str]) -> tuple[bytes, PictureForm]:
        """Return the layers up to the cut and the form of their input, see LocalGraphs."""
        head: tuple[bytes, PictureForm] = self._make("whole_head", cut)
        return head

    def close(self) -> None:
        """End the process, and with it the memory of the weights."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._connection = self._process = None

    def _make(self, graph: str, *arguments: object) -> Any:  # noqa: ANN401  (as the graph has it)
        if self._connection is None:
            self.open()
        return self._request((graph, arguments))

    def _request(self, request: object) -> Any:  # noqa: ANN401
        """Return the answer to a request. Raises the error of the other process; ModelError when it has ended."""
        assert self._connection is not None
        try:
            self._connection.send(request)
            answer = self._connection.recv()
        except (EOFError, OSError):
            code = self._ended_code()
            reason = "perhaps because memory ran out" if code < 0 else "see the log"
            raise ModelError(f"the process that loads model {self._model[0]} has ended, {reason}") from None
        except BaseException:
            self.close()  # after an interrupt, the answer that still comes would be taken for that of the next request
            raise
        if isinstance(answer, Exception):
            self.close()
            raise answer
        return answer

    def _ended_code(self) -> int:
        """Return the exit code of the process, which has closed its connection."""
        process = self._process
        self.close()
        return process.returncode or 0 if process is not None else 0
