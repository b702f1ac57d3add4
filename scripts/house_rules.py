"""Check what the linters do not: unique public names, the first words of docstrings, and the length of modules.

Usage: python scripts/house_rules.py [folder ...]    (folders or modules to report on; all packages by default)
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGES = ("shared", "camera_sources", "edge", "gateway", "benchmarks")
MAX_LINES = 400

SHARED_NAMES = {
    "command": "each command module has its click command under this name",
    "main": "each module that is run as a script has it",
    "decode": "each family of detectors has a decoder",
    "doubt": "each family of detectors states its doubts about a model",
}
"""Public names that may be defined in more than one module, and why."""

SHARED_MODULE_NAMES = {
    "__init__": "Python's own",
    "command": "the command line of each package",
    "options": "what a process is started with: one for the gateway, one for an edge",
    "cluster": "the cluster at work, and the payloads of its topics",
}
"""Names that more than one module may have, and why."""

QUESTION_WORDS = frozenset({"what", "who", "whom", "whose", "how", "whether", "which", "where", "why", "when"})
"""Words that a docstring must not begin with: it states what a thing is, or what a function does."""


def main() -> int:
    """Print every violation on a line of its own; return the exit code."""
    chosen = [ROOT / argument for argument in sys.argv[1:]] or [ROOT / package for package in PACKAGES]
    modules = {path: ast.parse(path.read_text("utf-8")) for package in PACKAGES for path in _sources(ROOT / package)}
    violations = [*_repeated_names(modules), *_repeated_module_names(modules)]
    for path, tree in modules.items():
        violations += [*_question_words(path, tree), *_too_long(path)]
    shown = [text for path, text in violations if any(path == folder or folder in path.parents for folder in chosen)]
    print(*sorted(shown), sep="\n", end="\n" if shown else "")
    return 1 if shown else 0


def _sources(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.py"))


def _repeated_names(modules: dict[Path, ast.Module]) -> Iterator[tuple[Path, str]]:
    """Yield the public names that more than one module defines."""
    places: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path, tree in modules.items():
        for name, line in _public_names(tree):
            places[name].append((path, line))
    for name, found in places.items():
        if len({path for path, _ in found}) > 1 and name not in SHARED_NAMES:
            for path, line in found:
                others = ", ".join(sorted({_shown(other) for other, _ in found if other != path}))
                yield path, f"{_shown(path)}:{line}: {name} is also defined in {others}"


def _repeated_module_names(modules: dict[Path, ast.Module]) -> Iterator[tuple[Path, str]]:
    """Yield the modules that have the name of another module."""
    places: dict[str, list[Path]] = defaultdict(list)
    for path in modules:
        places[path.stem].append(path)
    for name, found in places.items():
        if len(found) > 1 and name not in SHARED_MODULE_NAMES:
            for path in found:
                others = ", ".join(_shown(other) for other in found if other != path)
                yield path, f"{_shown(path)}:1: has the name of {others}"


def _public_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the public names that a module defines at its top level, but no imports and TypeVars, and their lines."""
    for node in tree.body:
        statements = node.body if isinstance(node, ast.If) else [node]
        for statement in statements:
            for name in _defined_by(statement):
                if not name.startswith("_") and name != "log":
                    yield name, statement.lineno


def _defined_by(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case ast.Assign(value=ast.Call(func=ast.Name(id="TypeVar" | "ParamSpec"))):
            return []
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def _question_words(path: Path, tree: ast.Module) -> Iterator[tuple[Path, str]]:
    """Yield the docstrings, also those of constants, that begin with a question word."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = statement.value.value
                words = text.split() if isinstance(text, str) else []
                if words and words[0].strip(",:").lower() in QUESTION_WORDS:
                    yield path, f"{_shown(path)}:{statement.lineno}: a docstring begins with {words[0]!r}"


def _too_long(path: Path) -> Iterator[tuple[Path, str]]:
    lines = path.read_text("utf-8").count("\n")
    if lines > MAX_LINES:
        yield path, f"{_shown(path)}:{lines}: has more than {MAX_LINES} lines: divide it"


def _shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


if __name__ == "__main__":
    sys.exit(main())
