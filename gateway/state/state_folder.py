"""The state folder of a gateway: its files, and their problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.state.state_file import StateFile

if TYPE_CHECKING:
    from pathlib import Path


class StateFolder:
    """A folder with the state files of the gateway's parts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[StateFile[Any]] = []

    def register_file(
        self,
        name: str,
        kind: Any,  # noqa: ANN401  (a type)
        lost: str,
        *,
        durable: bool = True,
        version: int = 1,
    ) -> StateFile[Any]:
        """Return the file with this name, and report its problems in `problems`; arguments as in StateFile."""
        file: StateFile[Any] = StateFile(self.path / name, kind, lost, durable=durable, version=version)
        self._files.append(file)
        return file

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each file that a newer release has written, and for each reason of failed writes."""
        unwritable: dict[str, list[str]] = {}
        for file in self._files:
            if file.unwritable:
                unwritable.setdefault(file.unwritable, []).append(file.lost)
        return (
            *(file.newer_release_problem for file in self._files if file.newer_release_problem),
            *(
                f"state folder {self.path} cannot be written ({reason}): {'; '.join(dict.fromkeys(lost))}"
                for reason, lost in unwritable.items()
            ),
        )
