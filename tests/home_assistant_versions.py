"""Versions of Home Assistant for tests, installed on first use.

DEEPTHINGS_HOME_ASSISTANT names the version that must be there (2025.4.4, say); any other word requires the newest one
that this Python can run. DEEPTHINGS_HOME_ASSISTANT_PYTHON is the interpreter for it, if it is not our own. With --long
there are more versions: each that a Python on the PATH can run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CACHE = Path("~/.cache/deepthings-test").expanduser()
INSTALL_TIMEOUT_S = 1200.0

VERSIONS = (((3, 13, 2), "2026.2.3"), ((3, 13, 0), "2025.4.4"), ((3, 12, 0), "2024.11.3"), ((3, 11, 0), "2024.3.3"))
"""The newest that is tried with a Python from this one on."""

OLD_PINS = ("josepy<2",)
"""What came out since, and versions before 2025 cannot work with, though they do not say so."""

NEEDED = ("api", "camera", "config", "device_automation", "image", "mqtt", "recorder", "websocket_api")
REQUIREMENTS = f"""
import json, pathlib, homeassistant
from homeassistant.bootstrap import CORE_INTEGRATIONS, DEFAULT_INTEGRATIONS
folder = pathlib.Path(homeassistant.__file__).parent / "components"
names, needed = {{*CORE_INTEGRATIONS, *DEFAULT_INTEGRATIONS, *{NEEDED!r}}}, set()
while names:
    name = names.pop()
    manifest = json.loads((folder / name / "manifest.json").read_text())
    needed |= {{name, *manifest.get("requirements", [])}}
    names |= set(manifest.get("dependencies", [])) - needed
print("\\n".join(sorted(each for each in needed if "=" in each)))
"""
"""Prints what those parts of Home Assistant need that it would otherwise install when it starts."""


class NotInstallableError(Exception):
    """No Home Assistant can be had here; the message says why."""


def required() -> bool:
    """Whether tests must fail rather than be skipped where there is no Home Assistant."""
    return bool(os.environ.get("DEEPTHINGS_HOME_ASSISTANT"))


def matrix() -> list[Any]:
    """Return versions as parameters of a fixture for `installed`: the usual one, and with --long all."""
    return [pytest.param("", id="usual"), *(pytest.param(each, marks=pytest.mark.long) for _, each in VERSIONS)]


def usual() -> tuple[str, str]:
    """Return the version that is asked for, or else the newest that can run, and the interpreter for it."""
    interpreter = os.environ.get("DEEPTHINGS_HOME_ASSISTANT_PYTHON", sys.executable)
    wanted = re.fullmatch(r"20\d\d\.\d+(\.\d+)?", os.environ.get("DEEPTHINGS_HOME_ASSISTANT", ""))
    if wanted:
        return wanted[0], interpreter
    python = _python_version(interpreter)
    return next(version for least, version in VERSIONS if python >= least), interpreter


def _python_for(version: str) -> str:
    """Return an interpreter on the PATH that can run this version. Raises NotInstallableError."""
    least = next(least for least, each in VERSIONS if each == version)
    found = shutil.which(f"python{least[0]}.{least[1]}")
    with contextlib.suppress(subprocess.CalledProcessError, OSError):
        if found is not None and _python_version(found) >= least:
            return found
    raise NotInstallableError(f"Home Assistant {version} needs Python {'.'.join(map(str, least))} on the PATH")


def _python_version(interpreter: str) -> tuple[int, ...]:
    return tuple(int(part) for part in _run(interpreter, "-c", "import sys; print(*sys.version_info[:3])").split())


def install(version: str = "") -> Path:
    """Return the Python of an environment with Home Assistant, by default the usual one. Raises NotInstallableError."""
    version, interpreter = (version, _python_for(version)) if version else usual()
    python = _python_version(interpreter)
    folder = CACHE / f"home-assistant-{version}-python-{python[0]}.{python[1]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                _run(interpreter, "-m", "venv", str(folder))
                _pip(folder, f"homeassistant=={version}", *(OLD_PINS if version < "2025" else ()))
                _pip(folder, *_run(str(folder / "bin/python"), "-c", REQUIREMENTS).split())
            except (subprocess.SubprocessError, OSError) as error:
                words = str(getattr(error, "stderr", "") or error).strip().splitlines()
                raise NotInstallableError(f"Home Assistant {version} cannot be installed: {words[-1]}") from error
            (folder / "complete").touch()
    return folder / "bin/python"


def installed(version: str = "") -> Path:
    """The same for a test: skipped where it cannot be had, unless it is required, or where it is the usual one."""
    if version and version == usual()[0]:
        pytest.skip(f"Home Assistant {version} is the usual one")
    try:
        return install(version)
    except NotInstallableError as error:
        if required() and not version:
            raise
        pytest.skip(str(error))


def _pip(folder: Path, *names: str) -> None:
    _run(str(folder / "bin/python"), "-m", "pip", "install", "--quiet", *names)


def _run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=INSTALL_TIMEOUT_S).stdout
