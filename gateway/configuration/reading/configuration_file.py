"""Reads the configuration file, and finds all mistakes in it."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.configuration.reading.consistency import (
    WrittenNames,
    find_contradictions,
    find_doubts,
    find_unknown_labels,
)
from gateway.configuration.reading.document import Document, read_document
from gateway.configuration.reading.explanations import error_path, mistake_of
from gateway.configuration.reading.mistakes import LocatedMistake, Mistake, dotted_path
from gateway.configuration.reading.repairs import repair
from gateway.configuration.reading.secret_file import SecretFile, read_bounded, read_failure
from gateway.configuration.reading.yaml_nodes import UnreadableError
from gateway.configuration.root import Configuration
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from gateway.configuration.reading.mistakes import KeyPath

logger = logging.getLogger(__name__)

MAX_ROUNDS = 6
"""Rounds in which the known mistakes are removed, and the rest is validated: as many as there are levels of sections.

One round is not enough. pydantic checks a section as a whole only when each of its values is valid, and the checks
across sections (names of cameras in hooks, ports, labels of the model) need a complete configuration. With one round,
such mistakes would stay hidden until the others are corrected: test_mistakes.py and test_check_config.py show this.
"""


@dataclass(frozen=True, slots=True)
class ParsedConfiguration:
    """A configuration file: the valid part of it, and all mistakes."""

    configuration: Configuration
    document: Document
    mistakes: tuple[LocatedMistake, ...] = ()
    warnings: tuple[LocatedMistake, ...] = ()

    def require_valid(self) -> Configuration:
        """Return the configuration. Raises ConfigurationError with all mistakes, one on each line."""
        if self.mistakes:
            raise ConfigurationError("\n".join(map(str, self.mistakes)))
        return self.configuration

    def check_labels(self, labels: Sequence[str]) -> ParsedConfiguration:
        """Return a copy with mistakes for labels that the model does not have, if it has labels at all."""
        found = find_unknown_labels(self.configuration, labels) if labels else ()
        mistakes = sorted({*self.mistakes, *_locate_all(self.document, found)})
        return replace(self, mistakes=tuple(mistakes))

    def add_mistake(self, path: KeyPath, message: str) -> ParsedConfiguration:
        """Return a copy with one more mistake; `message` is "what is wrong; what to write"."""
        more = _locate_all(self.document, [Mistake.parse(path, message)])
        return replace(self, mistakes=tuple(sorted({*self.mistakes, *more})))

    def has_valid_model(self) -> bool:
        """Return whether there is no mistake about the model."""
        return not any(mistake.path.partition(".")[0] in {"", "model"} for mistake in self.mistakes)


def read_configuration(path: Path, environment: Mapping[str, str] = os.environ) -> Configuration:
    """Return the configuration in a YAML file; log its warnings.

    Raises ConfigurationError with all mistakes, one on each line: `file:line: path.to.key: what is wrong; what to
    write`.
    """
    parsed = parse_configuration(path, environment)
    for warning in parsed.warnings:
        logger.warning("%s", warning)
    return parsed.require_valid()


def parse_configuration(path: Path, environment: Mapping[str, str] = os.environ) -> ParsedConfiguration:
    """Return the content of a file with all mistakes in it. Relative paths in it are relative to its folder."""
    file, secrets = str(path), SecretFile(path.parent)
    try:
        document = read_document(file, read_bounded(path), environment, secrets.tags)
    except UnreadableError as error:
        return ParsedConfiguration(Configuration(), Document(file), (error.mistake, *secrets.mistakes))
    except (OSError, ValueError) as error:
        mistake = LocatedMistake(file, 1, "", f"cannot be read: {read_failure(error)}", "name a YAML file")
        return ParsedConfiguration(Configuration(), Document(file), (mistake,))
    configuration, found = _validate(document, path.parent)
    mistakes = {_locate(document, mistake, document.line_of(mistake.path)) for mistake in found}
    mistakes |= {_locate(document, mistake, line) for line, mistake in document.mistakes}
    written = WrittenNames.from_values(document.value)
    mistakes |= {*_locate_all(document, find_contradictions(configuration, written)), *secrets.mistakes}
    warnings = [*secrets.warnings, *_locate_all(document, find_doubts(configuration, written))]
    return ParsedConfiguration(configuration, document, tuple(sorted(mistakes)), tuple(warnings))


def _validate(document: Document, folder: Path) -> tuple[Configuration, list[Mistake]]:
    """Return the valid part of a document, and all mistakes; each round validates it without the known mistakes."""
    value, mistakes = document.value, list[Mistake]()
    known: set[KeyPath] = set()
    for _ in range(MAX_ROUNDS):
        try:
            return Configuration.model_validate(value, context={"folder": folder}), mistakes
        except ValidationError as error:
            errors = error.errors(include_url=False)
        before = frozenset(known)
        known |= {error_path(found) for found in errors}
        for found in errors:
            path = error_path(found)
            if not _is_consequence(found, document, before, known):
                mistakes.append(mistake_of(found, document, Configuration))
            value = repair(value, path, missing=found["type"] == "missing", name="[key]" in found["loc"])
    return Configuration(), mistakes


def _is_consequence(error: ErrorDetails, document: Document, before: Set[KeyPath], now: Set[KeyPath]) -> bool:
    """Return whether an error only follows from a known mistake, or from a value that could not be resolved."""
    path = error_path(error)
    if error["type"] == "extra_forbidden":
        return False
    if error["type"] == "too_short" and any(known[:-1] == path and isinstance(known[-1], int) for known in now):
        return True  # the list is empty only because its items were removed as invalid
    return document.is_unresolved(path) or any(path[:length] in before for length in range(len(path) + 1))


def _locate_all(document: Document, mistakes: Iterable[Mistake]) -> list[LocatedMistake]:
    """Return mistakes with their lines, without values that are secret."""
    shown = (mistake.without_value() if document.is_secret(mistake.path) else mistake for mistake in mistakes)
    return [_locate(document, mistake, document.line_of(mistake.path)) for mistake in shown]


def _locate(document: Document, mistake: Mistake, line: int) -> LocatedMistake:
    return LocatedMistake(document.file, line, dotted_path(mistake.path), mistake.what, mistake.right)
