"""Parses YAML 1.2 to nodes with their lines: on, off, yes, no and 21:00 are text."""

from __future__ import annotations

import re

import yaml

from gateway.configuration.reading.mistakes import LocatedMistake

CORE_TAG = "tag:yaml.org,2002:"

TAG_PATTERNS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
    ("merge", r"<<", ["<"]),
)
"""The core schema of YAML 1.2.2, section 10.3.2, and the merge key of 1.1.

Each entry is a tag, a pattern of plain scalars, and their possible first letters."""

PARSER_HINTS = (
    (
        re.compile("mapping values are not allowed"),
        "put text with ': ' in it in quotes and a space after the colon of a key, and indent one section's keys alike",
    ),
    (re.compile(r"\\t"), "indent with spaces, not with tabs"),
    (re.compile("cannot start any token"), "put the value in quotes"),
    (re.compile("alias"), "put a value that begins with * in quotes"),
    (re.compile("anchor"), "put a value that begins with & in quotes"),
    (re.compile("tag"), "put a value that begins with ! in quotes"),
    (re.compile("escape"), "write \\\\ for a backslash, or use single quotes"),
    (re.compile("expected a single document"), "remove the line ---"),
    (re.compile("quoted scalar"), "close the quotes"),
    (
        re.compile("could not find expected ':'|expected <block end>|expected ',' or"),
        "write 'key: value', and indent one section's keys alike",
    ),
)
"""Usual remedies, by a pattern of the parser's messages."""


class UnreadableError(Exception):
    """A file is not valid YAML."""

    def __init__(self, mistake: LocatedMistake) -> None:
        super().__init__(str(mistake))
        self.mistake = mistake


class _CoreLoader(yaml.SafeLoader):
    """Composes nodes with the tags of YAML 1.2."""


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in TAG_PATTERNS:
    _CoreLoader.add_implicit_resolver(CORE_TAG + _tag, re.compile(f"^(?:{_pattern})$"), _first)


def compose_yaml(file: str, content: bytes) -> yaml.Node | None:
    """Return the root node, None for an empty file. Raises UnreadableError, which quotes nothing of the file."""
    try:
        text = content.decode("utf-8-sig")
        return yaml.compose(text, Loader=_CoreLoader)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableError(LocatedMistake(file, line, "", "this is not UTF-8", "save it as UTF-8 text")) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = "a control character that YAML does not allow"
        raise UnreadableError(LocatedMistake(file, line, "", what, "remove it")) from None
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(_explain(file, error)) from None
    except RecursionError:
        raise UnreadableError(LocatedMistake(file, 1, "", "nested too deeply", "remove brackets")) from None


def _explain(file: str, error: yaml.MarkedYAMLError) -> LocatedMistake:
    at_the_end = re.search("end of stream|<stream end>", error.problem or "")
    mark = (error.context_mark if at_the_end else None) or error.problem_mark
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    right = next((hint for pattern, hint in PARSER_HINTS if pattern.search(problem)), "")
    # Names of anchors and tags are not shown: a password without quotes may begin with *, & or !, and be read as one.
    problem = re.sub(r"""(['"])([^'"]*)\1""", lambda quoted: quoted[0] if _is_yaml_word(quoted[2]) else "...", problem)
    return LocatedMistake(file, mark.line + 1 if mark else 1, "", f"invalid YAML: {problem}", right)


def _is_yaml_word(word: str) -> bool:
    """Return whether a quoted word is a single character, or the parser's name for a part of YAML."""
    return len(word) <= 1 or word.startswith(("<", "\\"))
