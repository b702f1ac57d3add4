"""Putting the files of a backup in their places on this machine."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.configuration.reading.configuration_file import parse_configuration
from gateway.configuration.root import Configuration
from gateway.state.state_lock import is_in_use
from shared.errors import ConfigurationError, DeepThingsError
from shared.files.whole_file import open_whole
from shared.reasons.system_reasons import system_reason
from shared.systemd.unit import ENVIRONMENT_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.backup.manifest import BackupItem, BackupManifest

MAX_LISTED_FILES = 5
"""Files that a message lists; who reads it knows then which ones are meant."""


@dataclass(frozen=True, slots=True)
class Move:
    """A file that was unpacked, and where it belongs.

    A `only_in_backup` place is one that only the backup has named; what is `root_only` is for nobody else.
    """

    packed: Path
    target: Path
    mode: int
    only_in_backup: bool = False
    root_only: bool = False


def plan_moves(
    manifest: BackupManifest, unpacked: Mapping[BackupItem, Path], configuration: Path, state: Path | None
) -> tuple[list[Move], Path]:
    """Return where each file belongs, and the state folder; `state` goes before what the configuration says.

    The configuration file becomes `configuration`, and what was beside it is again; nothing is touched yet.
    """
    folder = configuration.absolute().parent
    kept, named = _state_folder(manifest, unpacked, folder)
    state_only_in_backup = state is None and named and not kept.is_relative_to(folder)
    kept = state or kept
    found = []
    for item, packed in unpacked.items():
        match item.place:
            case "configuration":
                target, only_in_backup = folder / configuration.name, False
            case "beside":
                target, only_in_backup = folder / item.path, False
            case "state":
                target, only_in_backup = kept / item.path, state_only_in_backup
            case "environment":
                target, only_in_backup = ENVIRONMENT_FILE, False
            case "elsewhere":
                target, only_in_backup = Path("/") / item.path, True
        found.append(Move(packed, target, item.mode, only_in_backup, root_only=item.place == "environment"))
    return found, kept


def _state_folder(manifest: BackupManifest, unpacked: Mapping[BackupItem, Path], folder: Path) -> tuple[Path, bool]:
    """Return the state folder of the configuration in a backup, and whether that names it."""
    item = manifest.configuration
    if item is None:
        return Configuration().state, False
    packed = unpacked[item]
    read_as = parse_configuration(
        packed
    ).configuration  # secrets, which are not beside it yet, are of no importance here
    kept = read_as.state
    if kept.is_relative_to(packed.parent):
        kept = folder / kept.relative_to(packed.parent)
    return kept, "state" in read_as.model_fields_set


def check_moves(planned: Sequence[Move], state: Path, *, force: bool, elsewhere: bool) -> None:
    """Raise ConfigurationError or DeepThingsError for what must not be done without being asked for."""
    try:
        running = is_in_use(state)
    except OSError:
        running = False  # whoever cannot look into it cannot write there: that is told in its turn
    if running:
        raise DeepThingsError(f"a gateway that uses {state} is running: stop it, then restore")
    only_in_backup = [move.target for move in planned if move.only_in_backup]
    if only_in_backup and not elsewhere:
        raise ConfigurationError(
            f"the backup has files for places that only it names: {_listed(only_in_backup)}; add --elsewhere to write"
            " them there"
        )
    there = [move.target for move in planned if os.path.lexists(move.target)]
    if there and not force:
        raise ConfigurationError(f"there are already {_listed(there)}; add --force to have them replaced")
    folders = [target for target in there if target.is_dir()]
    if folders:
        raise DeepThingsError(f"{_listed(folders)}: a folder is where a file is to be; move it away")


def write_files(planned: Sequence[Move], owner: tuple[int, int] | None) -> None:
    """Write each file, in one step as others see it. `owner` is the user and group who get them.

    Raises DeepThingsError for one that cannot be written.
    """
    for move in planned:
        try:
            _make_folder(move.target.parent, owner)
            with (
                move.packed.open("rb") as source,
                open_whole(move.target, mode=move.mode, owner=None if move.root_only else owner) as target,
            ):
                shutil.copyfileobj(source, target)
        except OSError as error:
            raise DeepThingsError(f"{move.target} cannot be written: {system_reason(error)}") from error


def _make_folder(folder: Path, owner: tuple[int, int] | None) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing if owner is not None else []:
        os.chown(each, *owner)  # type: ignore[misc]  # it is not None here


def _listed(paths: Sequence[Path]) -> str:
    shown = ", ".join(map(str, paths[:MAX_LISTED_FILES]))
    return shown + (f" and {len(paths) - MAX_LISTED_FILES} more" if len(paths) > MAX_LISTED_FILES else "")
