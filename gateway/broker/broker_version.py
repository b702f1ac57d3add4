"""Checks whether the gateway can run a version of Mosquitto: our configuration is written for Mosquitto 2."""

from __future__ import annotations

import asyncio
import re

from shared.errors import BrokerError
from shared.process.children import read_output
from shared.reasons.system_reasons import system_reason

FIRST_WITHOUT_OUR_OPTIONS = 3
"""Mosquitto 2.1 announces that 3.0 removes options that we use: per_listener_settings, password_file and acl_file."""

FIRST_WITH_OUR_HASHES = 2
"""Mosquitto 2.0 is the first with PBKDF2, the hash of our logins."""

_HELP_TIMEOUT_S = 10.0


async def require_understood(mosquitto: str, *, secured: bool) -> None:
    """Raise BrokerError if this Mosquitto does not understand our configuration; `secured`: it has logins."""
    problem = version_problem(await _help_of(mosquitto), secured=secured)
    if problem:
        raise BrokerError(problem)


def version_problem(text: str, *, secured: bool) -> str:
    """Return why a Mosquitto with this help text cannot be run; "" if it can, or its version is unknown."""
    match = re.search(r"mosquitto version (?P<version>(?P<major>\d+)\.\d+[\w.]*)", text)
    if match is None:
        return ""
    if int(match["major"]) >= FIRST_WITHOUT_OUR_OPTIONS:
        return (
            f"Mosquitto {match['version']} is newer than this release knows, and has other settings for logins: "
            "install Mosquitto 2, or update DeepThings"
        )
    if secured and int(match["major"]) < FIRST_WITH_OUR_HASHES:
        return f"Mosquitto {match['version']} is too old for logins: update it to 2.0 or later"
    return ""


async def _help_of(mosquitto: str) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            mosquitto, "-h", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise BrokerError(f"{mosquitto} cannot be started: {system_reason(error)}") from error
    return await read_output(process, _HELP_TIMEOUT_S)
