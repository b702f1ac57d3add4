"""The product's public face as one value, and the file that holds it to what it was.

After a change that is meant, write the file anew and commit the difference:

    python -m tests.public.frozen
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.public import command_line, files, integrations, messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE = Path(__file__).parent / "frozen.json"

SHOWN = 15
"""Differences of one section in a report; where there are more, the first ones tell the reason."""

LONGEST = 300
"""Letters of a value in a report."""


FAILED = "cannot be described: "
"""The beginning of what is written in the place of a section whose code raised an error."""


def describe(folder: Path) -> dict[str, Any]:
    """Describe everything that machines, and configurations of users, rely on; `folder` is empty."""
    for name in ("state", "house", "cache", "examples", "output", "codes"):
        (folder / name).mkdir()
    sections: dict[str, Callable[[], Any]] = {
        "topics": messages.all_topics,
        "words": messages.words,
        "client ids": messages.client_ids,
        "settings of cameras": messages.camera_settings,
        "gateway at its start": lambda: messages.home(folder / "house"),
        "docs/asyncapi.json": messages.asyncapi,
        "docs/schemas": messages.schema_files,
        "data plane": messages.wire,
        "Home Assistant": lambda: integrations.home_assistant(folder / "examples"),
        "Frigate": integrations.frigate,
        "hooks": integrations.hooks,
        "words of automations": integrations.automation_words,
        "configuration": files.configuration,
        "state folder": lambda: files.state(folder / "state"),
        "programs": files.programs,
        "program cache": lambda: files.cache(folder / "cache"),
        "backup": files.backup,
        "bench": files.bench,
        "services": files.services,
        "names": files.names,
        "commands": command_line.commands,
        "exit codes": lambda: command_line.exit_codes(folder / "codes"),
        "--json": lambda: command_line.json_output(folder / "output"),
    }
    described: dict[str, Any] = json.loads(json.dumps({name: _attempt(section) for name, section in sections.items()}))
    return described


def _attempt(section: Callable[[], Any]) -> Any:
    """Return what a section says; one that fails must not hide what others have to tell of the same change."""
    try:
        return section()
    except Exception as error:  # noqa: BLE001  (whatever a change of the code may bring)
        return f"{FAILED}{type(error).__name__}: {' '.join(str(error).split())}"


def differences(before: Any, now: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield a line for each place where two descriptions differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if key not in now:
                yield f"{_place(*path, key)}: gone; it was {_short(before[key])}"
            elif key not in before:
                yield f"{_place(*path, key)}: new; it is {_short(now[key])}"
            else:
                yield from differences(before[key], now[key], (*path, key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from differences(one, other, (*path, f"[{index}]"))
    elif isinstance(now, str) and now.startswith(FAILED):
        yield f"{_place(*path)} {now}"
    elif before != now or type(before) is not type(now):
        yield f"{_place(*path)}: it was {_short(before)}, and is {_short(now)}"


def report(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return what differs and what to do about it; empty where nothing does."""
    found: dict[str, list[str]] = {}
    for name in sorted(before.keys() | now.keys()):
        was, is_now = ({name: side[name]} if name in side else {} for side in (before, now))
        found[name] = list(differences(was, is_now))
    if not any(found.values()):
        return ""
    told = [f"the public face differs from {FILE.name} in {sum(map(len, found.values()))} places:"]
    for name, lines in found.items():
        told += lines[:SHOWN]
        told += [f"{name}: ... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    told.append(
        "Machines and configurations of users rely on these. If the change is meant, run "
        "`python -m tests.public.frozen` and commit the difference."
    )
    return "\n".join(told)


def _place(*path: str) -> str:
    return " > ".join(path)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def text_of(described: dict[str, Any]) -> str:
    """Return a description as it is written."""
    return json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file anew."""
    with tempfile.TemporaryDirectory() as folder:
        described = describe(Path(folder))
    failed = [f"{name} {said}" for name, said in described.items() if isinstance(said, str)]
    if failed:
        sys.exit("\n".join([*failed, f"{FILE.name} is left as it was"]))
    FILE.write_text(text_of(described), "utf-8")


if __name__ == "__main__":
    main()
