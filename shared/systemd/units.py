"""The systemd units on this machine: listing, installing, restarting, removing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from shared.errors import DeepThingsError
from shared.files.whole_file import write_whole
from shared.systemd.unit import UNIT_PREFIX, Unit, read_unit, unit_name

UNITS_FOLDER = Path("/etc/systemd/system")

SYSTEMD_FOLDER = Path("/run/systemd/system")
"""A folder that exists if this machine was booted with systemd; see sd_booted(3)."""

UNIT_START_TIMEOUT_S = 330.0
"""Timeout of systemctl: a unit has five minutes to notify that it is ready."""


def is_systemd_running() -> bool:
    """Return whether this machine was booted with systemd."""
    return SYSTEMD_FOLDER.is_dir() and shutil.which("systemctl") is not None


def systemd_version() -> int:
    """Return systemd's version; 0 if it is not installed."""
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        return 0
    output = subprocess.run([systemctl, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"systemd (\d+)", output)
    return int(found[1]) if found else 0


def require_control(command: str) -> None:
    """Raise DeepThingsError unless units can be written and started here; `command` is the user's, for the message."""
    if not is_systemd_running():
        raise DeepThingsError("systemd is not running here, so services cannot run; install --print shows the unit")
    if os.geteuid() != 0:
        raise DeepThingsError(f"this needs root: run it with sudo: sudo {command}")


def installed_units() -> list[Unit]:
    """Return our units on this machine, in the order of their names."""
    found = (_read(path) for path in sorted(UNITS_FOLDER.glob(f"{UNIT_PREFIX}*.service")))
    return [unit for unit in found if unit is not None]


def installed_gateway() -> Unit | None:
    """Return the gateway's unit; None if it is not installed."""
    return _read(UNITS_FOLDER / f"{unit_name('gateway')}.service")


def _read(path: Path) -> Unit | None:
    try:
        return read_unit(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def install_unit(unit: Unit) -> Path:
    """Write, enable and (re)start a unit, and return its file.

    Raises DeepThingsError if it does not start, and OSError if it cannot be written.
    """
    path = UNITS_FOLDER / f"{unit.name}.service"
    write_whole(path, unit.text(systemd_version()).encode(), mode=0o644)
    run_systemctl("daemon-reload")
    run_systemctl("enable", unit.name)
    restart_unit(unit)
    return path


def restart_unit(unit: Unit) -> None:
    """Restart a unit, and return when it is ready. Raises DeepThingsError."""
    try:
        run_systemctl("restart", unit.name)
    except DeepThingsError:
        raise DeepThingsError(
            f"{unit.name} does not start; systemd continues to try. The reason: journalctl -u {unit.name} -n 20"
        ) from None


def uninstall_unit(name: str) -> bool:
    """Stop and remove a unit; return whether it was installed. Raises DeepThingsError, OSError."""
    path = UNITS_FOLDER / f"{name}.service"
    if not path.exists():
        return False
    run_systemctl("disable", "--now", name)
    path.unlink(missing_ok=True)
    run_systemctl("daemon-reload")
    _systemctl("reset-failed", name)  # fails if the unit had not failed
    return True


def run_systemctl(*words: str) -> None:
    """Run systemctl. Raises DeepThingsError with its error message."""
    done = _systemctl(*words)
    if done.returncode:
        reason = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise DeepThingsError(f"systemctl {' '.join(words)}: {reason}")


def _systemctl(*words: str) -> subprocess.CompletedProcess[str]:
    systemctl = shutil.which("systemctl") or "systemctl"
    try:
        return subprocess.run(
            [systemctl, *words], capture_output=True, text=True, check=False, timeout=UNIT_START_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise DeepThingsError(f"systemctl {' '.join(words)}: it does not answer") from None
