"""The program of a whole network: the user's own graph, as onnxruntime would run it without tiles.

No nodes for the preprocessing are put in front of the graph. A table outside of the graph normalises the picture in
less time, and the first convolution gets the fast kernels of an ordinary session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import helper

from shared.engine.program_manifest import WHOLE_METADATA
from shared.model.picture_input import picture_form, set_single_picture_input
from shared.model.precision import in_single_precision

if TYPE_CHECKING:
    from shared.model.network import Network
    from shared.model.spec import Preprocessing

FIRST_IR_WITH_CONSTANTS = 4
"""Since this IR version of ONNX, a weight that is also listed as an input is no constant, and is not optimised."""


def build_whole_program(
    original: onnx.ModelProto, plain: onnx.ModelProto, network: Network, preprocessing: Preprocessing
) -> bytes:
    """Build the program of a whole network, and serialise it.

    It has the graph of the file (`original`) if that reads one picture, float32 (1, 3, H, W), and gives the outputs of
    the network; else the graph of the `plain` form. The input is the normalised picture; the outputs are the network's,
    in its order.
    """
    program = onnx.ModelProto()
    program.CopyFrom(_with_single_picture(original, network) or plain)
    helper.set_model_props(program, {WHOLE_METADATA: preprocessing.model_dump_json(include={"mean", "std"})})
    return bytes(program.SerializeToString(deterministic=True))


def is_whole(program: onnx.ModelProto) -> bool:
    """Return whether a program is that of a whole network."""
    return any(entry.key == WHOLE_METADATA for entry in program.metadata_props)


def _with_single_picture(original: onnx.ModelProto, network: Network) -> onnx.ModelProto | None:
    """Return the file's graph with one picture as its only input; None if only the plain form can have that."""
    if tuple(value.name for value in original.graph.output) != network.outputs:
        return None
    model = in_single_precision(original)
    form = picture_form(model, network.input_size)
    if form is None or form.batch != 1 or form.channels_last:
        return None
    set_single_picture_input(model, form, network.input_size)
    if model.ir_version >= FIRST_IR_WITH_CONSTANTS:
        constants = {tensor.name for tensor in model.graph.initializer}
        pictures = [value for value in model.graph.input if value.name not in constants]
        del model.graph.input[:]
        model.graph.input.extend(pictures)
    return model
