"""Opening the engine of a program: the fast construction where it can be had, the plain one otherwise."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import onnxruntime

from shared.engine.manifest import MANIFEST, NOT_EXACT, form_to_json
from shared.engine.memory import share_arena
from shared.engine.sessions import PaddingEngine, PreparedEngine, TileEngine
from shared.errors import ModelError
from shared.processes import dying_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from shared.ftp.stage import Form, Kind

log = logging.getLogger(__name__)

PREPARING_TIMEOUT_S = 900.0
"""For one program with its kinds of tile; a Raspberry Pi needs seconds for each."""

REFUSED = "refused.txt"
"""Lies in the place of a manifest where preparing was tried in vain."""


@dataclass(frozen=True, slots=True)
class TileKinds:
    """The kinds of tile of a stage, each by its form.

    `working_bytes` is what the largest layer of the largest tile holds of input and output.
    """

    forms: tuple[Form, ...]
    working_bytes: int

    @classmethod
    def of(cls, forms: Iterable[Form], working_bytes: int) -> TileKinds:
        """Of the forms of all tiles."""
        return cls(tuple({form.kind: form for form in forms}.values()), working_bytes)

    def to_json(self) -> str:
        return json.dumps([form_to_json(form) for form in self.forms])

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind, once, in a fixed order: tiles of other sizes, or in another order, may be of the same."""
        return tuple(sorted(form.kind for form in self.forms))


def open_engine(program: Path, kinds: TileKinds, cache: Path, threads: int = 1) -> TileEngine:
    """The engine for the program in this file. Blocks while it is prepared; what was prepared is kept in `cache`.

    Raises ModelError when onnxruntime does not take the program at all.
    """
    share_arena(kinds.working_bytes)
    folder = cache / f"prepared-{_fingerprint(program, kinds)}"
    if not (folder / MANIFEST).exists() and not (folder / REFUSED).exists():
        _prepare(program, kinds, folder)
    if (folder / MANIFEST).exists():
        try:
            os.utime(folder)
            return PreparedEngine(folder, threads)
        except (ModelError, OSError) as error:
            log.warning("%s; it will be prepared again at the next start", error)
            shutil.rmtree(folder, ignore_errors=True)
    return PaddingEngine(program, threads)


def _fingerprint(program: Path, kinds: TileKinds) -> str:
    """All that what is prepared depends on."""
    digest = hashlib.sha256(program.read_bytes())
    digest.update(json.dumps([kinds.kinds, onnxruntime.__version__, platform.machine(), _processor()]).encode())
    return digest.hexdigest()[:32]


def _processor() -> str:
    """What this machine's processor can do: a cache may move to another, with its card."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:  # noqa: PTH123
        lines = {line.partition(":")[0].strip(): line for line in file}
        return "".join(lines.get(key, "") for key in ("flags", "Features", "model name", "CPU part"))
    return platform.processor()


def _prepare(program: Path, kinds: TileKinds, folder: Path) -> None:
    """Have another process prepare the program into `folder`; say why where it cannot be."""
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    log.info("preparing the program for this processor, %s kinds of tile", len(kinds.forms))
    module = [sys.executable, "-P", "-m", "shared.engine.preparing"]
    code = 0
    try:
        done = subprocess.run(
            [*dying_with_parent(), *module, str(program), str(unfinished)],
            input=kinds.to_json(), capture_output=True, text=True, timeout=PREPARING_TIMEOUT_S, check=False,
        )  # fmt: skip
        code = done.returncode
        reason = (done.stderr.strip().splitlines() or [f"it ended with {code}"])[-1] if code else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = str(error)
    if reason:
        log.warning("tiles are computed the slower way, as the program could not be prepared: %s", reason)
        shutil.rmtree(unfinished, ignore_errors=True)
        if code != NOT_EXACT:
            return
        unfinished.mkdir(parents=True)
        (unfinished / REFUSED).write_text(reason)
    with contextlib.suppress(OSError):  # another process was faster
        unfinished.rename(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
