"""Collects the facts about this device: disk, memory, cores, and the power flags of a Raspberry Pi."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from shared.doctor.doctor_facts import DeviceFacts
from shared.files.program_folder import default_cache
from shared.mqtt.identity import identity_of
from shared.process.memory_limit import own_memory_limit, service_memory_limit
from shared.process.usable_cores import usable_cores
from shared.reasons.system_reasons import system_reason
from shared.systemd.accounts import find_account
from shared.systemd.unit import unit_name
from shared.systemd.units import installed_units

if TYPE_CHECKING:
    from shared.network.addresses import Address
    from shared.process.memory_limit import MemoryLimit
    from shared.systemd.unit import Unit

MEMORY_FILE = Path("/proc/meminfo")

THROTTLED_FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")
"""The file in which the kernel of a Raspberry Pi shows the flags of its firmware, in hexadecimal digits."""

FIRMWARE_TIMEOUT_S = 3.0
"""Time for vcgencmd, a Raspberry Pi's tool that asks the firmware for these flags."""


def look_at_device(gateway: Address) -> DeviceFacts:
    """Return the facts about this device. It writes a file into the cache of programs, and removes it."""
    cache, other_user = cache_folder()
    memory = read_memory(MEMORY_FILE)
    usable = usable_cores(probing=False)
    limit = memory_limit()
    return DeviceFacts(
        network=identity_of("", gateway).network,
        cache=str(cache),
        cache_fault="" if other_user else try_to_write(cache),
        disk_free=free_bytes(cache),
        memory_free=memory.get("MemAvailable"),
        memory_total=memory.get("MemTotal"),
        cores=os.cpu_count() or 0,
        usable_cores=usable.cores if usable.known else 0.0,
        throttled=read_throttled(THROTTLED_FILE),
        memory_limit=limit.limit,
        memory_limited_by=limit.group,
        memory_limit_known=limit.known,
    )


def memory_limit() -> MemoryLimit:
    """Return the lowest memory limit of this process and of the service of an edge on this device, if there is one."""
    found = [own_memory_limit()]
    if any(unit.role == "edge" for unit in installed_units()):
        found.append(service_memory_limit(unit_name("edge")))
    limited = [limit for limit in found if limit.limit is not None]
    unknown = [limit for limit in found if not limit.known]
    return min(limited, key=lambda limit: limit.limit or 0) if limited else (unknown or found)[0]


def cache_folder() -> tuple[Path, bool]:
    """Return the program folder of the edge on this device, and whether it is another user's.

    An edge that is installed as a service is meant first, else one that this user starts.
    """
    unit = next((unit for unit in installed_units() if unit.role == "edge"), None)
    if unit is None:
        return default_cache(), False
    return _cache_of_service(unit), os.geteuid() != 0


def _cache_of_service(unit: Unit) -> Path:
    if "--cache" in unit.arguments[:-1]:
        return Path(unit.arguments[unit.arguments.index("--cache") + 1])
    base = unit.environment.get("XDG_CACHE_HOME")
    account = find_account(unit.user)
    return default_cache(Path(base) if base else account.home / ".cache" if account else None)


def try_to_write(folder: Path) -> str:
    """Return the reason why a file cannot be written in a folder, or the folder cannot be created; empty if it can."""
    existing = _existing(folder)
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        return system_reason(error)
    return "" if existing.is_dir() else "it is a file, not a folder"


def free_bytes(folder: Path) -> int | None:
    """Return the free space of the disk of a folder, which need not exist yet."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(_existing(folder)).free
    return None


def read_memory(path: Path) -> dict[str, int]:
    """Return the values of a file like /proc/meminfo, in bytes; none if it cannot be read."""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return {}
    return {name: int(amount) * 1024 for name, amount in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}


def read_throttled(path: Path) -> int | None:
    """Return the flags of a Raspberry Pi's firmware; None on other devices."""
    text = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        text = path.read_text("ascii")
    vcgencmd = shutil.which("vcgencmd")
    if not text and vcgencmd is not None:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            text = subprocess.run(
                [vcgencmd, "get_throttled"], capture_output=True, text=True, timeout=FIRMWARE_TIMEOUT_S, check=True
            ).stdout
    found = re.search(r"\b(?:0x)?([0-9a-fA-F]+)\s*$", text)
    return int(found[1], 16) if found else None


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            if path.exists():
                return path
    return Path("/")
