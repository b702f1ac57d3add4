"""Runs a model on a fixed picture when it is opened, to recognise the family of its outputs by their values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.engine.sessions import NetworkSession
from shared.errors import ModelError
from shared.model.normalising import normalise

if TYPE_CHECKING:
    import onnx

    from shared.detection.decoding.family import InputSize, Outputs
    from shared.model.arrays import Pixels
    from shared.model.network import Network
    from shared.model.spec import Preprocessing

PATCH_PX = 16
"""Side of the picture's patches in pixels: as the cells of most detectors, so that cells see different patches."""


def run_probe(model: onnx.ModelProto, network: Network, preprocessing: Preprocessing) -> Outputs:
    """Return the outputs of a model in plain form for the probe picture. Raises ModelError when it cannot be run."""
    session = NetworkSession(model.SerializeToString())
    image = normalise(probe_picture(network.input_size), preprocessing)
    try:
        return session.run(dict.fromkeys(session.inputs, image))
    except Exception as error:  # onnxruntime raises classes of its own, without a common base
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"model {network.name} fails when it is run: {reason}") from error


def probe_picture(size: InputSize) -> Pixels:
    """Return a picture of patches and noise of all brightnesses, uint8 (H, W, 3); it is always the same for a size."""
    random = np.random.default_rng(1)
    rows, columns = (-(-length // PATCH_PX) for length in size)
    patches = random.integers(0, 224, (rows, columns, 3)).repeat(PATCH_PX, axis=0).repeat(PATCH_PX, axis=1)
    noise = random.integers(0, 32, (*size, 3))
    return (patches[: size[0], : size[1]] + noise).astype(np.uint8)
