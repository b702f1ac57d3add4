"""Limits the CPU and memory of each node with a Linux control group, version 1 or 2."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.cluster.cgroups import MIN_CORES, Controllers, cpu_values, find_controllers, memory_values
from benchmarks.cluster.cleanup import remove_groups, remove_leftover_groups
from benchmarks.cluster.commands import EmulationError
from benchmarks.cluster.owned_names import check_node_names, new_prefix
from shared.errors import ConfigurationError
from shared.reasons.system_reasons import system_reason

_MIB = 2**20
MIN_MEMORY_MB = 4
"""The smallest memory limit that is accepted, in MiB."""

_JOIN_GROUPS = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; done; shift; exec "$@"'
"""Shell script: its process joins the groups that are named before "--", then becomes the command behind it."""


@dataclass(frozen=True, slots=True)
class NodeLimits:
    """Limits of a node: `cpu` in cores, `memory_mb` in MiB (None: no limit). Raises ConfigurationError."""

    cpu: float
    memory_mb: int | None = None

    def __post_init__(self) -> None:
        if not self.cpu >= MIN_CORES:  # written so that nan is refused
            raise ConfigurationError(f"invalid CPU limit of {self.cpu} cores; choose {MIN_CORES} or more")
        if self.memory_mb is not None and self.memory_mb < MIN_MEMORY_MB:
            raise ConfigurationError(f"invalid memory limit of {self.memory_mb} MiB; choose {MIN_MEMORY_MB} or more")


class ControlGroup:
    """A context in which commands run within `limits`. Leaving it kills the commands that still run.

    Entering it also removes leftovers of dead processes. Raises EmulationError when the kernel refuses something.
    """

    def __init__(self, node: str, limits: NodeLimits) -> None:
        check_node_names([node], 1)
        self._name = new_prefix() + node
        self._limits = limits
        self._controllers = _controllers()

    def __enter__(self) -> Self:
        remove_leftover_groups(self._controllers.tops)
        try:
            self._build()
        except BaseException:
            remove_groups(self._folders())
            raise
        return self

    def __exit__(self, *_: object) -> None:
        remove_groups(self._folders())

    def command(self) -> list[str]:
        """Return the arguments to put before a command so that it and its children run within the limits.

        They must come before the arguments that enter a network namespace, where control groups are not visible.
        """
        return ["sh", "-c", _JOIN_GROUPS, "sh", *map(str, self._folders()), "--"]

    def set_cpu(self, cores: float | None) -> None:
        """Change the CPU limit at once; None removes it. Raises EmulationError."""
        for file, value in cpu_values(self._controllers.version, cores):
            _write(self._controllers.cpu / self._name / file, value)

    def cpu_seconds(self) -> float:
        """Return the CPU time (seconds of one core) used in the group so far. Raises EmulationError."""
        folder = self._controllers.usage / self._name
        if self._controllers.version == 1:
            return int(_read(folder / "cpuacct.usage")) / 1e9
        fields = dict(line.split() for line in _read(folder / "cpu.stat").splitlines())
        return int(fields["usage_usec"]) / 1e6

    def peak_memory_bytes(self) -> int:
        """Return the peak memory of the group in bytes, including its file cache. Raises EmulationError."""
        file = "memory.max_usage_in_bytes" if self._controllers.version == 1 else "memory.peak"
        return int(_read(self._controllers.memory / self._name / file))

    def _folders(self) -> list[Path]:
        return [folder / self._name for folder in self._controllers.folders()]

    def _build(self) -> None:
        if self._controllers.version == 2:
            _write(self._controllers.cpu / "cgroup.subtree_control", "+cpu +memory")
        for folder in self._folders():
            try:
                folder.mkdir()
            except OSError as error:
                raise EmulationError(f"the control group {folder} cannot be created: {system_reason(error)}") from error
        self.set_cpu(self._limits.cpu)
        if self._limits.memory_mb is not None:
            for file, value in memory_values(self._controllers.version, self._limits.memory_mb * _MIB):
                path = self._controllers.memory / self._name / file
                if path.exists() or "sw" not in file:  # a kernel without swap has no file to limit it
                    _write(path, value)


def limits_unavailable_reason() -> str:
    """Make a control group with limits. Return why CPU and memory cannot be limited, in one line; empty if they can."""
    if os.geteuid() != 0:
        return "limiting CPU and memory needs root"
    try:
        with ControlGroup("probe", NodeLimits(cpu=0.5, memory_mb=64)) as group:
            group.cpu_seconds()
            group.peak_memory_bytes()
            return ""
    except EmulationError as error:
        return f"CPU and memory cannot be limited here: {error}"


def _controllers() -> Controllers:
    return find_controllers(_read(Path("/proc/mounts")), _read(Path("/proc/self/cgroup")))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise EmulationError(f"{file} cannot be read: {system_reason(error)}") from error


def _write(file: Path, value: str) -> None:
    try:
        file.write_text(value, encoding="ascii")
    except OSError as error:
        raise EmulationError(f"{value} cannot be written to {file}: {system_reason(error)}") from error
