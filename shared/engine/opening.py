"""Open the engine of a program: the prepared one if possible, else the plain one."""

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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from shared.engine.arena import share_arena
from shared.engine.lane_choice import choose_lanes
from shared.engine.preparing_limits import PreparingLimits, program_bytes
from shared.engine.preparing_turns import preparing_turn
from shared.engine.program_manifest import (
    EXIT_EXCEEDED,
    EXIT_NOT_EXACT,
    EXIT_REFUSED,
    MANIFEST_FILE,
    PROGRAM_FORMAT,
    ProgramManifest,
    form_to_json,
)
from shared.engine.sessions import PaddingEngine, PreparedEngine, TileEngine, read_manifest
from shared.errors import DamageError, ProgramRefusedError, WrongResultError
from shared.files.unfinished import remove_atomically, remove_tree, unfinished_path
from shared.process.children import lower_thread_priority, parent_death_prefix
from shared.reasons.system_reasons import system_reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from shared.engine.lanes import TileLanes
    from shared.ftp.stage import Form, FormKind, Tile

log = logging.getLogger(__name__)

Engine = TypeVar("Engine")

PREPARING_TIMEOUT_S = 900.0
"""Timeout for all kinds of tile of one program, in wall-clock time; a Raspberry Pi needs seconds for each. A program
that loops reaches the limits of PreparingLimits before, unless other programs take the processor."""

MAX_OPENING_ATTEMPTS = 2
"""The first attempt opens the cached files, the second one newly prepared files; then the plain engine is used."""

_PLAIN = "the plain engine is used"


@dataclass(frozen=True, slots=True)
class TileKinds:
    """The kinds of tile of a stage, each by one form.

    `working_bytes` are the input and output of the largest layer of the largest tile. `macs` are the
    multiply-accumulate operations of the largest tile of each kind together; None when they are not known.
    """

    forms: tuple[Form, ...]
    working_bytes: int
    macs: int | None = None

    @classmethod
    def from_forms(cls, forms: Iterable[Form], working_bytes: int) -> TileKinds:
        """Reduce the forms of all tiles to one of each kind."""
        return cls(tuple({form.kind: form for form in forms}.values()), working_bytes)

    @classmethod
    def from_tiles(cls, tiles: Iterable[Tile], working_bytes: int) -> TileKinds:
        """Reduce all tiles to one form of each kind."""
        forms: dict[FormKind, Form] = {}
        macs: dict[FormKind, int] = {}
        for tile in tiles:
            form = tile.form
            forms[form.kind] = form
            macs[form.kind] = max(tile.macs, macs.get(form.kind, 0))
        return cls(tuple(forms.values()), working_bytes, sum(macs.values()))

    def to_json(self) -> str:
        return json.dumps([form_to_json(form) for form in self.forms])

    @property
    def largest(self) -> Form:
        """Return the form of the largest tile."""
        return max(self.forms, key=lambda form: form.cells)

    @property
    def kinds(self) -> tuple[FormKind, ...]:
        """Return all kinds, sorted: independent of the sizes and the order of the tiles."""
        return tuple(sorted(form.kind for form in self.forms))


def prepared_folder(program: Path, kinds: TileKinds, cache: Path) -> Path:
    """Return the folder of a prepared program for this processor, whether it exists or not."""
    return cache / f"prepared-{_fingerprint(program, kinds)}"


async def open_engine(
    program: Path,
    kinds: TileKinds,
    cache: Path,
    cores: int = 1,
    *,
    lanes: TileLanes | None = None,
    afresh: bool = False,
) -> TileEngine:
    """Return the engine for the program in the file `program`, on `cores` cores; prepared files are kept in `cache`.

    The best lanes for these cores are measured once, unless `lanes` are given. Cached files are checked, and prepared
    again when they are damaged, or with `afresh`. Preparing may take minutes; cancelling stops it.

    Raises ModelError when onnxruntime cannot load the program, ProgramRefusedError when the program must not be opened
    or exceeds its limits, and WrongResultError when this machine computes other results than when it prepared the
    program, even after preparing it again.
    """
    share_arena(kinds.working_bytes)
    folder = await asyncio.to_thread(prepared_folder, program, kinds, cache)
    if afresh:
        remove_atomically(folder)
    wrong: WrongResultError | None = None
    for _ in range(MAX_OPENING_ATTEMPTS):
        if not await _ensure_prepared(program, kinds, folder):
            break
        try:
            chosen = lanes or await choose_lanes(folder, kinds.largest, kinds.working_bytes, cores)
            engine = await _in_low_priority_thread(partial(_open_prepared, folder, kinds, chosen))
        except (DamageError, WrongResultError) as error:
            wrong = error if isinstance(error, WrongResultError) else None
            log.warning("%s; it is removed, and prepared again if needed", error)
            remove_atomically(folder)
            continue
        if engine is None:
            break
        return engine
    if wrong is not None:
        raise WrongResultError(
            "this machine computed another result than when it prepared the program, twice: its memory or processor "
            "may be faulty"
        ) from wrong
    return await _in_low_priority_thread(partial(PaddingEngine, program, lanes.threads if lanes else cores))


async def _in_low_priority_thread(make: Callable[[], Engine]) -> Engine:
    """Call `make` in a thread of low priority: the threads that onnxruntime starts there inherit it."""
    with ThreadPoolExecutor(1, "opening", initializer=lower_thread_priority) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, make)


def _open_prepared(folder: Path, kinds: TileKinds, lanes: TileLanes) -> PreparedEngine | None:
    """Return the engine of a cached program; None when the cache has noted that it cannot be prepared.

    Raises DamageError, WrongResultError.
    """
    manifest = read_manifest(folder)
    if manifest.refused:
        log.info("%s: %s", _PLAIN, manifest.refused)
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)
    return PreparedEngine.open_checked(folder, manifest, lanes, kinds.largest.cells)


def _fingerprint(program: Path, kinds: TileKinds) -> str:
    """Return a hash of everything that prepared files depend on."""
    import onnxruntime  # noqa: PLC0415  (see open_session)

    digest = hashlib.sha256(program.read_bytes())
    digest.update(
        json.dumps([PROGRAM_FORMAT, kinds.kinds, onnxruntime.__version__, platform.machine(), _processor()]).encode()
    )
    return digest.hexdigest()[:32]


def _processor() -> str:
    """Return the features of this processor, because the card with the cache may be moved to another machine."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        lines = {line.partition(":")[0].strip(): line for line in file}
        return "".join(lines.get(key, "") for key in ("flags", "Features", "model name", "CPU part"))
    return platform.processor()


async def _ensure_prepared(program: Path, kinds: TileKinds, folder: Path) -> bool:
    """Prepare the program into `folder`, unless this or another edge has done so; return whether the folder exists."""
    if (folder / MANIFEST_FILE).exists():
        return True
    async with preparing_turn(program):
        if (folder / MANIFEST_FILE).exists():
            return True
        remove_atomically(folder)
        return await _prepare(program, kinds, folder)


async def _prepare(program: Path, kinds: TileKinds, folder: Path) -> bool:
    """Prepare the program into `folder` in a child process; return whether the folder exists afterwards.

    For a program that cannot be prepared, the folder gets a manifest with the reason. Raises ProgramRefusedError for a
    program that must not be opened.
    """
    part = unfinished_path(folder)
    remove_tree(part)
    log.info("preparing the program for this processor, %s kinds of tile", len(kinds.forms))
    try:
        code, message = await _run_preparing(program, kinds, part)
        if code in {EXIT_REFUSED, EXIT_EXCEEDED}:
            raise ProgramRefusedError(f"the program of the plan is refused: {message}")
        if code:
            log.warning("%s, as the program could not be prepared: %s", _PLAIN, message)
            remove_tree(part)
        if code == EXIT_NOT_EXACT:
            part.mkdir(parents=True)
            (part / MANIFEST_FILE).write_bytes(ProgramManifest(refused=message).encode())
        if code in {0, EXIT_NOT_EXACT}:
            with contextlib.suppress(OSError):  # the folder exists, because another process was faster
                part.rename(folder)
            return True
    except OSError as error:
        log.warning("%s: %s cannot be written: %s", _PLAIN, folder.parent, system_reason(error))
    finally:
        remove_tree(part)
    return False


async def _run_preparing(program: Path, kinds: TileKinds, part: Path) -> tuple[int, str]:
    """Run shared.engine.preparing; return its exit code and the last line of its stderr.

    The code is EXIT_EXCEEDED if the process reached a limit, or if the program made it crash. The process is killed
    when this is cancelled.
    """
    size = await asyncio.to_thread(program_bytes, program)
    limits = PreparingLimits.for_program(size, kinds.working_bytes, len(kinds.forms), kinds.macs)
    command = [
        *parent_death_prefix(), sys.executable, "-P", "-m", "shared.engine.preparing", str(program), str(part),
        *limits.to_words(),
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PREPARING_TIMEOUT_S):
            _, errors = await process.communicate(kinds.to_json().encode())
    except TimeoutError:
        return (
            EXIT_EXCEEDED,
            f"preparing it took longer than {PREPARING_TIMEOUT_S:.0f} s; end other programs on this device",
        )
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    code = process.returncode or 0
    crash = limits.crash_reason(-code)
    if crash:
        return EXIT_EXCEEDED, crash
    lines = errors.decode(errors="replace").strip().splitlines()
    unexplained = "the system killed it, perhaps because memory ran out" if code < 0 else "unknown reason"
    return code, (lines or [unexplained])[-1]
