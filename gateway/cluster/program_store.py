"""Stores the programs that edges fetch by SHA-256: as graphs and weights, and joined for edges of earlier releases."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from shared.engine.program_parts import BuiltProgram, ProgramInParts
from shared.plan.plan import PartRef, ProgramParts, ProgramRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ProgramStore:
    """Stores programs. An array of weights that several programs have is stored once.

    `find` may run in another thread than the other methods.
    """

    def __init__(self) -> None:
        self._programs: dict[str, bytes | ProgramInParts] = {}
        self._parts: dict[str, bytes] = {}

    def offer(self, programs: Sequence[BuiltProgram]) -> list[ProgramRef]:
        """Add these programs; return references to them, in order."""
        return [self._offer(program) for program in programs]

    def keep(self, needed: Iterable[str]) -> None:
        """Remove all programs except for those with these hashes, and all weights that are not used any more."""
        kept = set(needed)
        self._programs = {sha256: program for sha256, program in self._programs.items() if sha256 in kept}
        joint = [program for program in self._programs.values() if isinstance(program, ProgramInParts)]
        used = {sha256 for program in joint for sha256 in (_hash(program.graph), *program.weights)}
        self._parts = {sha256: part for sha256, part in self._parts.items() if sha256 in used}

    def find(self, sha256: str) -> bytes | None:
        """Return the program, graph or weights with this hash, else None. Joining large programs takes a moment."""
        program = self._parts.get(sha256) or self._programs.get(sha256)
        return program.join() if isinstance(program, ProgramInParts) else program

    def _offer(self, program: BuiltProgram) -> ProgramRef:
        content = program.content
        if isinstance(content, bytes):
            self._programs[program.sha256] = content
            return ProgramRef(sha256=program.sha256, bytes=program.size)
        graph = _hash(content.graph)
        kept = {key: self._parts.setdefault(key, array) for key, array in content.weights.items()}
        self._programs[program.sha256] = ProgramInParts(content.graph, kept)
        self._parts[graph] = content.graph
        weights = tuple(PartRef(sha256=key, bytes=len(array)) for key, array in kept.items())
        parts = ProgramParts(graph=PartRef(sha256=graph, bytes=len(content.graph)), weights=weights)
        return ProgramRef(sha256=program.sha256, bytes=program.size, parts=parts)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
