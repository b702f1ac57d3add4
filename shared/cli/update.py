"""`deepthings update`: replace the installed release by a newer one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from shared.cli.common_options import EXISTING_FILE
from shared.errors import ConfigurationError, DeepThingsError
from shared.process.installation import find_clone, installed_extras, version_of_wheel
from shared.systemd import units

if TYPE_CHECKING:
    from collections.abc import Sequence

EXECUTABLE = Path(sysconfig.get_path("scripts")) / "deepthings"


@click.command()
@click.argument("wheel", type=EXISTING_FILE, required=False)
def command(wheel: Path | None) -> None:
    """Update DeepThings from its clone with git, or from WHEEL, a file that scripts/build has made.

    The services of this device are restarted. Update the gateway first, then the edges.
    """
    before = _output_of(EXECUTABLE, "--version")
    if wheel is not None:
        _update_from_wheel(wheel)
    else:
        _update_clone()
    after = _output_of(EXECUTABLE, "--version")
    click.echo(f"before: {before}\nnow:    {after}")
    _restart_services()


def _update_clone() -> None:
    """Pull and set up the clone. Raises DeepThingsError if that would lose local changes or mix installations."""
    folder = find_clone()
    if folder is None:
        raise ConfigurationError(
            "this DeepThings is not from a clone: name a wheel, 'deepthings update FILE.whl'; scripts/build makes one"
        )
    if Path(sys.prefix).resolve() != (folder / ".venv").resolve():
        raise DeepThingsError(
            f"{sys.prefix} was not made by scripts/setup of {folder}: run 'git pull' there, and pip as you did before"
        )
    if shutil.which("git") is None:
        raise DeepThingsError("git not found: install it, 'sudo apt install git', then try again")
    changed = _output_of("git", "-C", folder, "status", "--porcelain", "--untracked-files=no", folder=folder)
    if changed:
        files = ", ".join(line[2:].strip() for line in changed.splitlines()[:5])
        raise DeepThingsError(f"{folder} has local changes ({files}): commit or undo them, then try again")
    _run("git", "-C", folder, "pull", "--ff-only", "--quiet", folder=folder)
    _run(folder / "scripts" / "setup", _extra_of_setup(folder), folder=folder)
    click.echo(f"{folder} is at {_output_of('git', '-C', folder, 'log', '-1', '--format=%h of %cs', folder=folder)}")


def _extra_of_setup(folder: Path) -> str:
    """Return the argument that scripts/setup was called with."""
    try:
        return (folder / ".venv" / "installed").read_text(encoding="utf-8").split()[0]
    except (OSError, IndexError):
        return "gateway"


def _update_from_wheel(wheel: Path) -> None:
    """Install a wheel with pip and the installed extras. Raises ConfigurationError, DeepThingsError."""
    version_of_wheel(wheel)
    folder, extras = Path(sys.prefix), ",".join(installed_extras())
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    path = wheel.absolute()
    _run(*pip, f"{path}[{extras}]" if extras else path, folder=folder)
    _run(*pip, "--no-deps", "--force-reinstall", path, folder=folder)  # also for the same version


def _restart_services() -> None:
    services = units.installed_units()
    if not services:
        return
    names = " ".join(unit.name for unit in services)
    if os.geteuid() != 0 or not units.is_systemd_running():
        click.echo(f"Restart the services: sudo systemctl restart {names}")
        return
    for unit in services:
        units.restart_unit(unit)
    click.echo(f"restarted: {names}")


def _run(*words: str | Path, folder: Path) -> None:
    """Run a program as the owner of `folder`. Raises DeepThingsError if it fails; the program prints the reason."""
    done = subprocess.run(list(map(str, words)), check=False, stdin=subprocess.DEVNULL, **_as_owner(folder))
    if done.returncode:
        raise DeepThingsError(f"'{_command_text(words)}' failed; no service was restarted")


def _output_of(*words: str | Path, folder: Path | None = None) -> str:
    """Return the output of a program. Raises DeepThingsError if it fails."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        list(map(str, words)), check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        **(_as_owner(folder) if folder else {}),
    )  # fmt: skip
    if done.returncode:
        raise DeepThingsError(f"'{_command_text(words)}' failed: {done.stderr.strip()}")
    return done.stdout.strip()


def _as_owner(folder: Path) -> dict[str, Any]:
    """Return the options of subprocess.run that make root run a program as the owner of the folder."""
    owner = folder.stat().st_uid
    if os.geteuid() != 0 or owner == 0:
        return {}
    entry = pwd.getpwuid(owner)
    return {
        "user": owner, "group": entry.pw_gid, "extra_groups": os.getgrouplist(entry.pw_name, entry.pw_gid),
        "env": os.environ | {"HOME": entry.pw_dir, "USER": entry.pw_name, "LOGNAME": entry.pw_name},
    }  # fmt: skip


def _command_text(words: Sequence[str | Path]) -> str:
    return " ".join(str(word) for word in words if not str(word).startswith("--"))
