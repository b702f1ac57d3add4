"""Makes graphs from a loaded model: programs for edges, the tail for the gateway, and the whole head for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.engine.building import build_program
from shared.engine.program_parts import BuiltProgram
from shared.engine.whole_program import build_whole_program
from shared.errors import ModelError
from shared.model.cutting import head_model, tail_model, with_outputs
from shared.model.picture_input import picture_form
from shared.model.precision import in_single_precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    import onnx

    from shared.ftp.stage import Stage
    from shared.model.network import Network
    from shared.model.picture_input import PictureForm
    from shared.model.spec import Preprocessing


class LocalGraphs:
    """Makes graphs in this process, which has the weights. It is a GraphMaker; graphs are returned as ONNX bytes."""

    def __init__(self, original: onnx.ModelProto, proto: onnx.ModelProto, network: Network) -> None:
        self._original = original
        self._proto = proto
        self._network = network

    def programs(self, stages: Sequence[Stage], preprocessing: Preprocessing) -> tuple[BuiltProgram, ...]:
        """Return the programs of the stages, in order; the first one begins with the preprocessing of pixels."""
        if stages[-1].whole:
            program = build_whole_program(self._original, self._proto, self._network, preprocessing)
            return (BuiltProgram.from_bytes(program),)
        starts = [(), *(stage.cut for stage in stages)]
        return tuple(
            BuiltProgram.from_bytes(
                build_program(
                    head_model(self._proto, self._network, stage.cut, after), stage, None if after else preprocessing
                )
            )
            for after, stage in zip(starts, stages, strict=False)
        )

    def tail(self, cut: Sequence[str]) -> bytes:
        """Return the tail: the layers behind the cut."""
        return bytes(tail_model(self._proto, self._network, cut).SerializeToString())

    def whole_head(self, cut: Sequence[str]) -> tuple[bytes, PictureForm]:
        """Return the head, the layers up to the cut, and the form of its picture input.

        It is made from the user's file as it is, if that has the maps at the cut, else from its plain form. Raises
        ModelError.
        """
        made = {name for node in self._original.graph.node for name in node.output}
        source = in_single_precision(self._original) if made.issuperset(cut) else self._proto
        form = picture_form(source, self._network.input_size)
        if form is None:
            raise ModelError("the model's picture input is not known")
        return with_outputs(source, cut).SerializeToString(), form
