"""The folder in which an edge keeps programs between starts."""

from __future__ import annotations

import os
from pathlib import Path


def default_cache(base: Path | None = None) -> Path:
    """Return the folder of programs below `base`; without it, below this user's folder of caches."""
    caches = base or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "deepthings" / "programs"
