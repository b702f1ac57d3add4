"""Running the console script as a user does."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

DEEPTHINGS = str(Path(sysconfig.get_path("scripts")) / "deepthings")


def run(*arguments: str, timeout_s: float = 90, cwd: Path | None = None, **environment: str):
    """`deepthings ARGUMENTS...` to its end."""
    return subprocess.run(
        [DEEPTHINGS, *arguments], capture_output=True, text=True, timeout=timeout_s, cwd=cwd, check=False,
        env=os.environ | environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
