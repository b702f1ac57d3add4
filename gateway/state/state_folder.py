"""The state folder of a gateway: its files, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.state.state_file import StateFile

if TYPE_CHECKING:
    from pathlib import Path


class StateFolder:
    """A folder, and the files that parts of the gateway keep there."""

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
        """Return the file of this name, whose troubles are told from now on; see StateFile."""
        file: StateFile[Any] = StateFile(self.path / name, kind, lost, durable=durable, version=version)
        self._files.append(file)
        return file

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what cannot be read as a newer release has written it, and what cannot be written, in sentences."""
        unwritable: dict[str, list[str]] = {}
        for file in self._files:
            if file.unwritable:
                unwritable.setdefault(file.unwritable, []).append(file.lost)
        return (
            *(file.newer_release_problem for file in self._files if file.newer_release_problem),
            *(
                f"state folder {self.path} cannot be written ({why}): {'; '.join(dict.fromkeys(lost))}"
                for why, lost in unwritable.items()
            ),
        )
