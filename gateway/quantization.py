"""From a float model and pictures to the same model in int8, with onnxruntime's own tool, in the QDQ format.

Convolutions and what stands between them are computed in integers, whose sums do not depend on their order: tiles equal
the whole run exactly. The last convolutions and what stands behind them stay float: there scores and coordinates come
together in one map, and the eight bits of one scale are too few for both.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from gateway.agreement import Agreement, compare_detections
from gateway.catalogue import Model, choose_cut, open_model
from shared.engine.sessions import normalise, open_session
from shared.errors import ConfigurationError, CutError, DeepThingsError, ModelError
from shared.ftp.grid import Grid
from shared.ftp.tiles import partition
from shared.letterbox import Letterbox
from shared.model.loading import describe, plain_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camera_sources.source import Source
    from shared.ftp.merge import Map
    from shared.letterbox import Pixels
