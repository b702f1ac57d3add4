"""Measurements that nobody made: of a scope's settings, with round figures, for what reads measurements."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.experiments import EQUAL_ENGINE_CPU, all_settings
from benchmarks.findings import Results
from benchmarks.memory_figures import DeviceMemory, MemoryFigures
from benchmarks.setting import BenchSetting, FrameTimes, Measurement

MB = 1_000_000
SECONDS = {"whole": 1.0, "bodp": 3.0, "ftp-wsh": 2.0, "ftp-wst": 1.6, "ftp-wst-s": 1.2}
"""On one device."""


def frame(number=0, fused_s=1.0, camera="camera-1", at=None, **more):
    """A frame, published a second after the one before unless `at` is said."""
    said = {"tiles": 9, "stolen": 0, "duplicates": 0, **more}
    return FrameTimes(camera, number, fused_s, fused_s + 0.1, float(number if at is None else at), **said)


def measurement(setting=None, fused_s=1.0, mb=1.0, **more):
    """Of as many frames of each camera as the setting says, all of which took `fused_s` and `mb` on the interfaces."""
    setting = setting or BenchSetting("ftp-wst")
    frames = tuple(
        frame(number, fused_s, f"camera-{camera}", at=(number + camera / 100) * fused_s)
        for camera in range(1, setting.sources + 1)
        for number in range(setting.frames)
    )
    counted = round(mb * MB * len(frames))
    said = {
        "setting": setting, "frames": frames, "dropped": {}, "interface_bytes": counted,
        "accounted_bytes": {"result": counted * 9 // 10}, "peak_memory": {"gateway": 200 * MB, "edge-1": 80 * MB},
        "cpu_seconds": {"edge-1": 2.0}, "detections_sha256": "all the same",
    }  # fmt: skip
    return Measurement(**(said | more))


def plausible(setting):
    """A measurement of a setting that goes down with devices and up with sources."""
    slower = {0.2: 1.0, EQUAL_ENGINE_CPU: 3.3}[setting.edge_cpu] * {"3x3": 1.0, "4x4": 1.2, "5x5": 1.4}.get(
        setting.grid, 1.0
    )
    seconds = SECONDS[setting.method] * slower * setting.sources * (0.15 + 0.85 / setting.edges)
    mb = (2 if setting.pixels == "float32" else 1) * {"bodp": 2.0 + setting.edges, "ftp-wsh": 6.0}.get(
        setting.method, 3.0 + 0.3 * setting.edges
    )
    return measurement(setting, seconds, mb, frames=tuple(
        replace(frame, stolen=round(9 * (1 - 1 / setting.edges))) for frame in measurement(setting, seconds).frames
    ))  # fmt: skip


def campaign_of(scope):
    """Results of every setting of a scope."""
    return Results(scope, [plausible(setting) for setting in all_settings(scope)])


def memory_of(peaks=(0.58, 0.68, 0.5), layers=(0.69, 0.79, 0.67), measured=None):
    """Memory figures with these reductions, of FTP 3x3, FTP 5x5 and BODP."""
    ways = ("FTP 3x3", "FTP 5x5", "BODP, 4 devices")
    whole = tuple((20 - layer) * 2**20 for layer in range(16))
    analytic = {"whole": DeviceMemory(whole, max(whole), 0.0, 0.0)}
    for way, peak, layer in zip(ways, peaks, layers, strict=True):
        of_layers = tuple(round(count * (1 - layer)) for count in whole)
        analytic[way] = DeviceMemory(of_layers, round(max(whole) * (1 - peak)), peak, layer)
    return MemoryFigures(tuple(f"layer_{number}" for number in range(16)), analytic, measured or {})
