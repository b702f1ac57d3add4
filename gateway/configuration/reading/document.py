"""Reads a YAML file as plain values, each with its line, and replaces variables and secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from gateway.configuration.reading.mistakes import KeyPath, LocatedMistake, Mistake
from gateway.configuration.reading.substitution import VARIABLE, substitute
from gateway.configuration.reading.yaml_nodes import CORE_TAG, UnreadableError, compose_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Tags = Mapping[str, Callable[[str], str]]

MAX_DEPTH = 24
"""Levels of sections and lists; a configuration has eight. It bounds anchors that contain themselves."""

MAX_VALUES = 50_000
"""Values of a file; a hundred cameras with twenty zones have fewer. It bounds nested anchors, which multiply values."""

KNOWN_TAGS = {CORE_TAG + kind for kind in ("null", "bool", "int", "float", "str", "merge", "map", "seq")}


@dataclass(slots=True)
class Document:
    """The content of a file as plain values.

    `keys` and `values` are the lines of keys and of values, by path; `written` is the text of scalars, by path.
    """

    file: str
    value: object = None
    keys: dict[KeyPath, int] = field(default_factory=dict)
    values: dict[KeyPath, int] = field(default_factory=dict)
    written: dict[KeyPath, str] = field(default_factory=dict)
    secret_paths: set[KeyPath] = field(default_factory=set)
    """Paths of values from the environment, from the secrets or from a file; no message may contain them."""
    tagged: dict[str, set[str]] = field(default_factory=dict)
    """The texts after each tag: names of secrets, and of files."""
    mistakes: list[tuple[int, Mistake]] = field(default_factory=list)
    unresolved: set[KeyPath] = field(default_factory=set)
    """Paths of values that could not be resolved."""

    def nearest_path(self, path: KeyPath) -> KeyPath:
        """Return the longest beginning of a path that exists in the file."""
        while path and path not in self.values:
            path = path[:-1]
        return path

    def line_of(self, path: KeyPath) -> int:
        """Return the line of a path's key or item; if it does not exist, the line of the nearest one above it."""
        path = self.nearest_path(path)
        return self.keys.get(path, self.values.get(path, 1))

    def is_secret(self, path: KeyPath) -> bool:
        """Return whether a value at this path, above it or below it is secret."""
        return any(secret[: len(path)] == path or path[: len(secret)] == secret for secret in self.secret_paths)

    def variable_names(self) -> set[str]:
        """Return the names of the environment variables in the file."""
        texts = (self.written[path] for path in self.secret_paths if path in self.written)
        return {match["name"] for text in texts for match in VARIABLE.finditer(text) if match["name"]}

    def is_unresolved(self, path: KeyPath) -> bool:
        """Return whether the value at this path, or one above it, could not be resolved."""
        return any(path[:length] in self.unresolved for length in range(len(path) + 1))


def read_document(file: str, content: bytes, environment: Mapping[str, str], tags: Tags) -> Document:
    """Return the content of a file. Raises UnreadableError if it is not valid YAML.

    `tags` are functions by tag: each returns the secret for the text behind its tag, or raises ValueError.
    """
    document = Document(file)
    root = compose_yaml(file, content)
    if root is not None:
        document.value = _Reader(document, environment, tags).value(root, ())
    return document


@dataclass(slots=True)
class _Reader:
    """Converts nodes of YAML to plain values, and notes their lines and mistakes in the document."""

    document: Document
    environment: Mapping[str, str]
    tags: Tags

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        line = node.start_mark.line + 1
        self.document.values[path] = line
        if len(path) > MAX_DEPTH or len(self.document.values) > MAX_VALUES:
            what = "nested too deeply, or too long"
            raise UnreadableError(
                LocatedMistake(self.document.file, line, "", what, "check its anchors (&) and aliases (*)")
            )
        if node.tag not in self.tags and node.tag not in KNOWN_TAGS:
            known = " and ".join(self.tags)
            self.add_unresolved(path, line, f"unknown tag; {known} are known, and text that begins with ! needs quotes")
            return ""
        match node:
            case yaml.MappingNode():
                return self.mapping(node, path)
            case yaml.SequenceNode():
                return [self.value(item, (*path, number)) for number, item in enumerate(node.value)]
            case _:
                return self.scalar(node, path, line)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        written: dict[str, int] = {}
        for key, item in self.entries(node, path):
            name, line = str(key.value), key.start_mark.line + 1
            if name in written:
                what = f"written twice, in line {written[name]} and in line {line}"
                self.document.mistakes.append((line, Mistake((*path, name), what, "keep one")))
                continue
            written[name] = line
            self.document.keys[*path, name] = line
            values[name] = self.value(item, (*path, name))
        for key, item in self.merged(node, path, {id(node)}):
            if str(key.value) not in values:
                self.document.keys[*path, str(key.value)] = key.start_mark.line + 1
                values[str(key.value)] = self.value(item, (*path, str(key.value)))
        return values

    def entries(self, node: yaml.MappingNode, path: KeyPath) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield the keys and values of a mapping, without merged ones."""
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                mistake = Mistake(path, "a key is a list or a section", "write text as a key; text in { } needs quotes")
                self.document.mistakes.append((key.start_mark.line + 1, mistake))
            elif key.tag != CORE_TAG + "merge":
                yield key, item

    def merged(self, node: yaml.MappingNode, path: KeyPath, seen: set[int]) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """Yield keys and values of the mappings that `<<` names, in order."""
        for key, item in node.value:
            if key.tag != CORE_TAG + "merge":
                continue
            for source in item.value if isinstance(item, yaml.SequenceNode) else [item]:
                if not isinstance(source, yaml.MappingNode):
                    mistake = Mistake(path, "<< needs a section", "write for example <<: *front")
                    self.document.mistakes.append((key.start_mark.line + 1, mistake))
                elif id(source) not in seen:
                    seen.add(id(source))
                    yield from self.entries(source, path)
                    yield from self.merged(source, path, seen)

    def scalar(self, node: yaml.Node, path: KeyPath, line: int) -> object:
        self.document.written[path] = node.value
        try:
            if node.tag in self.tags:
                self.document.secret_paths.add(path)
                self.document.tagged.setdefault(node.tag, set()).add(node.value)
                return self.tags[node.tag](node.value)
            if node.tag in {CORE_TAG + "str", CORE_TAG + "merge"}:
                text, found = substitute(node.value, self.environment)
                if found:
                    self.document.secret_paths.add(path)
                return text
            return parse_scalar(node.tag, node.value)
        except ValueError as error:
            self.add_unresolved(path, line, str(error))
            return ""

    def add_unresolved(self, path: KeyPath, line: int, message: str) -> None:
        self.document.unresolved.add(path)
        self.document.mistakes.append((line, Mistake.parse(path, message)))


def parse_scalar(tag: str, text: str) -> object:
    """Return the value of a scalar that is not text. Raises ValueError for an invalid or too long number."""
    try:
        match tag.removeprefix(CORE_TAG):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        pass
    raise ValueError("invalid number, or too many digits; write for example 30 or 0.5")
