"""Restores the files of a backup to their places on this machine."""

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
"""Files that a message lists by name; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Move:
    """An unpacked file, and its target.

    `only_in_backup`: the target comes from the backup and not from the person, who therefore must agree to it.
    `root_only`: the file belongs to root, not to the user who runs the gateway.
    """

    packed: Path
    target: Path
    mode: int
    only_in_backup: bool = False
    root_only: bool = False


def plan_moves(
    manifest: BackupManifest, unpacked: Mapping[BackupItem, Path], configuration: Path, state: Path | None
) -> tuple[list[Move], Path]:
    """Return the target of each file, and the state folder; `state` takes precedence over the configuration's.

    The configuration file becomes `configuration`; files beside it stay beside it. Nothing is written yet.
    """
    folder = configuration.absolute().parent
    kept, named = _state_folder(manifest, unpacked, folder)
    state_only_in_backup = state is None and named and not kept.is_relative_to(folder)
    kept = state or kept
    moves = []
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
        moves.append(Move(packed, target, item.mode, only_in_backup, root_only=item.place == "environment"))
    return moves, kept


def _state_folder(manifest: BackupManifest, unpacked: Mapping[BackupItem, Path], folder: Path) -> tuple[Path, bool]:
    """Return the state folder of the configuration in a backup, and whether the configuration names it."""
    item = manifest.configuration
    if item is None:
        return Configuration().state, False
    packed = unpacked[item]
    parsed = parse_configuration(packed).configuration  # without checking it: its secrets are not beside it yet
    kept = parsed.state
    if kept.is_relative_to(packed.parent):
        kept = folder / kept.relative_to(packed.parent)
    return kept, "state" in parsed.model_fields_set


def check_moves(planned: Sequence[Move], state: Path, *, force: bool, elsewhere: bool) -> None:
    """Raise ConfigurationError or DeepThingsError for moves that need the person's consent, or are impossible."""
    try:
        running = is_in_use(state)
    except OSError:
        running = False  # the folder cannot be read; writing to it will fail, and report the reason
    if running:
        raise DeepThingsError(f"a gateway that uses {state} is running: stop it, then restore")
    only_in_backup = [move.target for move in planned if move.only_in_backup]
    if only_in_backup and not elsewhere:
        raise ConfigurationError(
            f"the backup has files for places that only it names: {_list_paths(only_in_backup)}; add --elsewhere to "
            "write them there"
        )
    existing = [move.target for move in planned if os.path.lexists(move.target)]
    if existing and not force:
        raise ConfigurationError(f"these files already exist: {_list_paths(existing)}; add --force to replace them")
    folders = [target for target in existing if target.is_dir()]
    if folders:
        raise DeepThingsError(f"files cannot be written in place of folders: {_list_paths(folders)}; move these away")


def write_files(planned: Sequence[Move], owner: tuple[int, int] | None) -> None:
    """Write each file atomically. `owner` is the user and group of the files.

    Raises DeepThingsError when one cannot be written.
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
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing if owner is not None else []:
        os.chown(path, *owner)  # type: ignore[misc]  # not None in this loop


def _list_paths(paths: Sequence[Path]) -> str:
    shown = ", ".join(map(str, paths[:MAX_LISTED_FILES]))
    return shown + (f" and {len(paths) - MAX_LISTED_FILES} more" if len(paths) > MAX_LISTED_FILES else "")
