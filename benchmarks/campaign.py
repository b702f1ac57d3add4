"""Measures all settings of a scope, one after the other, and saves each measurement at once."""

from __future__ import annotations

import csv
import json
import os
import platform
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.running import measure_setting
from benchmarks.setting import Measurement
from benchmarks.workload import write_yolov2
from gateway.models.catalogue import DEFAULT_MODEL
from shared.errors import ConfigurationError, DeepThingsError
from shared.files.unfinished import remove_abandoned
from shared.files.whole_file import write_whole
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.setting import BenchSetting

RESULTS_FILE = "results.json"
RESULTS_TABLE_FILE = "results.csv"


@dataclass(slots=True)
class Campaign:
    """Measurements and the folder where they are kept; an interrupted campaign continues where it stopped.

    `failures`: the error message of each setting that failed, by the setting's text.
    `reason`: why nodes cannot be emulated on this machine; empty if they can.
    """

    folder: Path
    machine: dict[str, Any] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    reason: str = ""

    @classmethod
    def open(cls, folder: Path) -> Campaign:
        """Load the measurements in the folder, if any. Raises ConfigurationError for a file of another format."""
        remove_abandoned(folder)
        campaign = cls(folder, machine=describe_machine())
        path = folder / RESULTS_FILE
        if path.exists():
            try:
                rows = json.loads(path.read_text())["measurements"]
                campaign.measurements = [Measurement.from_json(row) for row in rows]
            except OSError as error:
                raise ConfigurationError(
                    f"{path} cannot be read: {system_reason(error)}; name another with --out"
                ) from error
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigurationError(
                    f"{path} does not contain measurements of this release; remove it, or write to another "
                    "folder with --out"
                ) from error
        return campaign

    async def run(self, settings: Sequence[BenchSetting], report: Callable[[int, str], None]) -> None:
        """Measure the settings that have no measurement yet.

        `report` is called with the number of a setting and its text when its measurement begins, and again with the
        error if it fails. A setting that fails is left out; the others are still useful. Raises ConfigurationError
        when measurements of emulated devices and of unlimited processes would be mixed.
        """
        if any(measured.shaped == bool(self.reason) for measured in self.measurements):
            old_kind, new_kind = ("emulated", "unlimited") if self.reason else ("unlimited", "emulated")
            raise ConfigurationError(
                f"{self.folder} contains measurements of {old_kind} devices, and these would be {new_kind} ones"
                f"{f' ({self.reason})' if self.reason else ''}; write to another folder with --out"
            )
        models = self._models(settings)
        known = {measurement.setting for measurement in self.measurements}
        for number, setting in enumerate(settings):
            if setting in known:
                continue
            report(number, setting.text)
            slug = "".join(letter if letter.isalnum() else "-" for letter in setting.text)
            try:
                measured = await measure_setting(setting, models, self.folder / "logs" / slug, self.folder / "cache")
            except DeepThingsError as error:
                self.failures[setting.text] = str(error)
                report(number, f"failed: {error}")
                continue
            self.measurements.append(measured)
            self.save()

    def save(self) -> None:
        """Write all measurements to the folder."""
        document = {"machine": self.machine, "measurements": [measured.to_json() for measured in self.measurements]}
        write_whole(self.folder / RESULTS_FILE, json.dumps(document, indent=1).encode(), durable=False, mode=None)
        rows = [_row(measured) for measured in self.measurements]
        with (self.folder / RESULTS_TABLE_FILE).open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def _models(self, settings: Sequence[BenchSetting]) -> dict[str, str]:
        """Return the model to load for each workload; create missing files."""
        models = {"built-in": DEFAULT_MODEL}
        for workload in {setting.workload for setting in settings} - set(models):
            models[workload] = str(write_yolov2(self.folder / "models", whole=workload == "whole"))
        return models


def describe_machine() -> dict[str, Any]:
    """Return the properties of this machine that the figures depend on."""
    return {"processor": _processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
            names = [line.partition(":")[2].strip() for line in file if line.startswith(("model name", "Model"))]
    except OSError:
        names = []
    return names[0] if names else platform.processor()


def _row(measured: Measurement) -> dict[str, Any]:
    figures = {
        "fused_s": round(measured.fused_s, 4),
        "total_s": round(measured.total_s, 4),
        "frames_per_s": round(measured.frames_per_s, 3),
        "bytes_per_frame": round(measured.bytes_per_frame),
        "accounted_bytes_per_frame": round(sum(measured.accounted_bytes.values()) / max(1, len(measured.frames))),
        "stolen_share": round(measured.stolen_share, 3),
        "shaped": measured.shaped,
    }
    return {**asdict(measured.setting), **figures}
