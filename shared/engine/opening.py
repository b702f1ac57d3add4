"""Opening the engine of a program: the fast construction where it can be had, the plain one otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnxruntime

from shared.engine.arena import share_arena
from shared.engine.program_manifest import EXIT_NOT_EXACT, MANIFEST_FILE, PROGRAM_FORMAT, ProgramManifest, form_to_json
from shared.engine.sessions import PaddingEngine, PreparedEngine, TileEngine, read_manifest
from shared.errors import DamageError, WrongResultError
from shared.files.unfinished import remove_atomically, remove_tree, unfinished_path
from shared.process.children import parent_death_prefix
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.ftp.stage import Form, FormKind

log = logging.getLogger(__name__)

PREPARING_TIMEOUT_S = 900.0
"""For one program with its kinds of tile; a Raspberry Pi needs seconds for each."""

MAX_OPENING_ATTEMPTS = 2
"""Opening what was kept, and what is then prepared anew; a machine that cannot keep that either does without."""

_SLOWER = "tiles are computed the slower way"


@dataclass(frozen=True, slots=True)
class TileKinds:
    """The kinds of tile of a stage, each by its form.

    `working_bytes` is what the largest layer of the largest tile holds of input and output.
    """

    forms: tuple[Form, ...]
    working_bytes: int

    @classmethod
    def from_forms(cls, forms: Iterable[Form], working_bytes: int) -> TileKinds:
        """Of the forms of all tiles."""
        return cls(tuple({form.kind: form for form in forms}.values()), working_bytes)

    def to_json(self) -> str:
        return json.dumps([form_to_json(form) for form in self.forms])

    @property
    def kinds(self) -> tuple[FormKind, ...]:
        """Every kind, once, in a fixed order: tiles of other sizes, or in another order, may be of the same."""
        return tuple(sorted(form.kind for form in self.forms))


async def open_engine(
    program: Path, kinds: TileKinds, cache: Path, threads: int = 1, *, afresh: bool = False
) -> TileEngine:
    """Return the engine for the program in this file; what is prepared for it is kept in `cache`.

    What was kept is checked, and made again when it is damaged, or `afresh`. Preparing takes up to minutes, and ends
    when this is cancelled. Raises ModelError when onnxruntime does not take the program at all, WrongResultError when
    this machine computes another result than when it prepared the program, also after it has done so again.
    """
    share_arena(kinds.working_bytes)
    folder = cache / f"prepared-{await asyncio.to_thread(_fingerprint, program, kinds)}"
    if afresh:
        remove_atomically(folder)
    wrong: WrongResultError | None = None
    for _ in range(MAX_OPENING_ATTEMPTS):
        if not (folder / MANIFEST_FILE).exists():
            remove_atomically(folder)
            if not await _prepare(program, kinds, folder):
                break
        try:
            engine = await asyncio.to_thread(_open_prepared, folder, kinds, threads)
        except (DamageError, WrongResultError) as error:
            wrong = error if isinstance(error, WrongResultError) else None
            log.warning("%s; it is removed, and prepared again when it is needed", error)
            remove_atomically(folder)
            continue
        if engine is None:
            break
        return engine
    if wrong is not None:
        raise WrongResultError(
            "this machine computes something else of a tile than when it prepared the program, twice: its memory or "
            "processor may be faulty"
        ) from wrong
    return await asyncio.to_thread(PaddingEngine, program, threads)


def _open_prepared(folder: Path, kinds: TileKinds, threads: int) -> PreparedEngine | None:
    """Return the engine of what is kept there; None when the program is known to be one that cannot be prepared.

    Raises DamageError, WrongResultError.
    """
    manifest = read_manifest(folder)
    if manifest.refused:
        log.info("%s: %s", _SLOWER, manifest.refused)
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)
    return PreparedEngine.open_checked(folder, manifest, threads, max(form.cells for form in kinds.forms))


def _fingerprint(program: Path, kinds: TileKinds) -> str:
    """All that what is prepared depends on."""
    digest = hashlib.sha256(program.read_bytes())
    digest.update(
        json.dumps([PROGRAM_FORMAT, kinds.kinds, onnxruntime.__version__, platform.machine(), _processor()]).encode()
    )
    return digest.hexdigest()[:32]


def _processor() -> str:
    """What this machine's processor can do: a cache may move to another, with its card."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        lines = {line.partition(":")[0].strip(): line for line in file}
        return "".join(lines.get(key, "") for key in ("flags", "Features", "model name", "CPU part"))
    return platform.processor()


async def _prepare(program: Path, kinds: TileKinds, folder: Path) -> bool:
    """Have another process prepare the program into `folder`; return whether there is something then.

    A program that cannot be prepared leaves a manifest that says so.
    """
    part = unfinished_path(folder)
    remove_tree(part)
    log.info("preparing the program for this processor, %s kinds of tile", len(kinds.forms))
    try:
        code, said = await _run_preparing(program, kinds, part)
        if code:
            log.warning("%s, as the program could not be prepared: %s", _SLOWER, said)
            remove_tree(part)
        if code == EXIT_NOT_EXACT:
            part.mkdir(parents=True)
            (part / MANIFEST_FILE).write_bytes(ProgramManifest(refused=said).encode())
        if code in {0, EXIT_NOT_EXACT}:
            with contextlib.suppress(OSError):  # another process was faster
                part.rename(folder)
            return True
    except OSError as error:
        log.warning("%s: %s cannot be written: %s", _SLOWER, folder.parent, system_reason(error))
    finally:
        remove_tree(part)
    return False


async def _run_preparing(program: Path, kinds: TileKinds, part: Path) -> tuple[int, str]:
    """Return the exit code of the other process and the last line that it said. Kill it when cancelled."""
    command = [*parent_death_prefix(), sys.executable, "-P", "-m", "shared.engine.preparing", str(program), str(part)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PREPARING_TIMEOUT_S):
            _, errors = await process.communicate(kinds.to_json().encode())
    except TimeoutError:
        return 1, f"it took longer than {PREPARING_TIMEOUT_S:.0f} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = process.returncode or 0
    said = errors.decode(errors="replace").strip().splitlines()
    ended = "the system ended it, perhaps for want of memory" if code < 0 else "it gave no reason"
    return code, (said or [ended])[-1]
