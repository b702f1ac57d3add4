"""Computes one frame by a plan in a process of its own, to compare the results of edges with it.

    python -P -m gateway.cluster.trust.reference < request > answer

The process ends after the frame, so that the gateway keeps no network in memory for this. Request and answer are a line
of JSON, followed by bytes. Programs run as they are in the plan, not prepared: preparing them for a processor could
itself be the cause of a difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from shared.detection.detector import Detector
from shared.engine.sessions import PaddingEngine
from shared.errors import ModelError
from shared.model.letterbox import Letterbox
from shared.plan.plan import Plan
from shared.process.children import lower_thread_priority, parent_death_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.ftp.region import Region
    from shared.ftp.stage import Tile
    from shared.model.arrays import Array, FeatureMap, FloatArray, Pixels

REFERENCE_TIMEOUT_S = 600.0
"""Time for one frame; all layers of the largest networks in use take a Raspberry Pi a minute or two."""


@dataclass(frozen=True, slots=True)
class ReferenceFrame:
    """The result of a plan for a picture: the maps at its cut, float32 (1, C, H, W) each.

    For a plan of whole frames it is the table of objects instead, float32 (N, 6), see Detections.
    """

    maps: tuple[FeatureMap, ...] = ()
    objects: FloatArray | None = None


async def compute_apart(plan: Plan, programs: Sequence[bytes], picture: Pixels) -> ReferenceFrame:
    """Compute a frame, uint8 BGR (H, W, 3), in a child process of low priority, which is killed if this is cancelled.

    `programs` are the ONNX programs of the plan's stages, in order. Raises ModelError if the process fails, or takes
    longer than REFERENCE_TIMEOUT_S.
    """
    request = {"plan": plan.model_dump(mode="json"), "programs": [len(each) for each in programs]}
    header = json.dumps({**request, "picture": picture.shape}).encode() + b"\n"
    command = [*parent_death_prefix(), sys.executable, "-P", "-m", "gateway.cluster.trust.reference"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(REFERENCE_TIMEOUT_S):
            given = b"".join((header, *programs, picture.tobytes()))
            answer, errors = await process.communicate(given)
    except TimeoutError:
        raise ModelError(f"it took longer than {REFERENCE_TIMEOUT_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise ModelError((lines or ["its process was killed, perhaps because memory ran out"])[-1])
    return _decode(answer)


def compute_reference(plan: Plan, programs: Sequence[bytes], picture: Pixels) -> ReferenceFrame:
    """Compute a frame, uint8 BGR (H, W, 3), in this process; arguments as in `compute_apart`. Raises ModelError."""
    letterbox = Letterbox.for_picture(picture.shape, plan.input, plan.preprocessing)
    pixels = letterbox.apply(picture, plan.preprocessing)
    if plan.detector is not None:
        tile = plan.stages[0].tiles[0].to_tile(0)
        outputs, _ = PaddingEngine(programs[0]).run(tile.form, [pixels])
        names = tuple(plan.detector.outputs)
        detector = Detector(plan.detector.description, plan.input, plan.detector.outputs, names)
        return ReferenceFrame(objects=detector.find(outputs, letterbox).table)
    maps: list[Array] = [pixels]
    for stage, program in zip(plan.stages, programs, strict=True):
        tiles = [tile.to_tile(index) for index, tile in enumerate(stage.tiles)]
        maps = _run_stage(PaddingEngine(program), tiles, stage.channels, maps)
    return ReferenceFrame(tuple(cast("list[FeatureMap]", maps)))


def _run_stage(
    engine: PaddingEngine, tiles: Sequence[Tile], channels: Sequence[int], inputs: Sequence[Array]
) -> list[Array]:
    """Return the outputs of a stage, float32 (1, C, H, W), computed tile by tile.

    `inputs` are the pixels (H, W, 3), or the maps (1, C, H, W) of the stage before; `channels` the channels of outputs.
    """
    made: list[Array] = []
    for count, regions in zip(channels, zip(*(tile.outputs for tile in tiles), strict=True), strict=True):
        whole = regions[0]
        for region in regions:
            whole = whole.hull(region)
        made.append(np.zeros((1, count, whole.bottom, whole.right), np.float32))
    for tile in tiles:
        parts = [_part_of(array, region) for array, region in zip(inputs, tile.inputs, strict=True)]
        results, _ = engine.run(tile.form, parts)
        for array, region, result in zip(made, tile.outputs, results, strict=True):
            array[:, :, *region.slices] = result
    return made


def _part_of(array: Array, region: Region) -> Array:
    rows, columns = region.slices
    return array[rows, columns] if array.ndim == 3 else array[:, :, rows, columns]


def _encode(frame: ReferenceFrame) -> list[bytes]:
    arrays = frame.maps if frame.objects is None else (frame.objects,)
    header = {"objects": frame.objects is not None, "shapes": [array.shape for array in arrays]}
    return [
        json.dumps(header).encode() + b"\n",
        *(np.ascontiguousarray(array, np.float32).tobytes() for array in arrays),
    ]


def _decode(answer: bytes) -> ReferenceFrame:
    line, _, rest = answer.partition(b"\n")
    header, values = json.loads(line), np.frombuffer(rest, np.float32)
    arrays, start = [], 0
    for shape in header["shapes"]:
        size = int(np.prod(shape))
        arrays.append(values[start : start + size].reshape(shape))
        start += size
    if header["objects"]:
        return ReferenceFrame(objects=arrays[0])
    return ReferenceFrame(tuple(cast("list[FeatureMap]", arrays)))


def _read_request(stream: BinaryIO) -> tuple[Plan, list[bytes], Pixels]:
    header = json.loads(stream.readline())
    programs = [stream.read(size) for size in header["programs"]]
    picture = np.frombuffer(stream.read(), np.uint8).reshape(header["picture"])
    return Plan.model_validate_json(json.dumps(header["plan"])), programs, picture


def main() -> int:
    """Answer one request; return the exit code."""
    lower_thread_priority()
    with contextlib.suppress(OSError):  # if memory runs out, the system must kill this process, not the gateway
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    frame = compute_reference(*_read_request(sys.stdin.buffer))
    for part in _encode(frame):
        sys.stdout.buffer.write(part)
    return 0


if __name__ == "__main__":
    sys.exit(main())
