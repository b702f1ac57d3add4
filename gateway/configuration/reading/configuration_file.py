"""Reading the configuration file: one pass that finds every mistake."""

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
"""How often what is wrong is taken out, to see what was behind it: sections are as deep in each other."""


@dataclass(frozen=True, slots=True)
class ParsedConfiguration:
    """What a file says: as much of the configuration as is right, and all mistakes."""

    configuration: Configuration
    document: Document
    mistakes: tuple[LocatedMistake, ...] = ()
    warnings: tuple[LocatedMistake, ...] = ()

    def require_valid(self) -> Configuration:
        """The configuration. Raises ConfigurationError with all mistakes, a line for each."""
        if self.mistakes:
            raise ConfigurationError("\n".join(map(str, self.mistakes)))
        return self.configuration

    def check_labels(self, labels: Sequence[str]) -> ParsedConfiguration:
        """The same, also checked against the labels of the model; one that has none is not asked."""
        found = find_unknown_labels(self.configuration, labels) if labels else ()
        mistakes = sorted({*self.mistakes, *_placed(self.document, found)})
        return replace(self, mistakes=tuple(mistakes))

    def add_mistake(self, path: KeyPath, message: str) -> ParsedConfiguration:
        """The same with one mistake more, "what is wrong; what would be right", which another part has found."""
        more = _placed(self.document, [Mistake.parse(path, message)])
        return replace(self, mistakes=tuple(sorted({*self.mistakes, *more})))

    def has_valid_model(self) -> bool:
        """Whether no mistake is about the model."""
        return not any(mistake.path.partition(".")[0] in {"", "model"} for mistake in self.mistakes)


def read_configuration(path: Path, environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration in a YAML file; warnings are logged.

    Raises ConfigurationError with every mistake, one a line: `file:line: path.to.key: what is wrong; what would be
    right`.
    """
    reading = parse_configuration(path, environment)
    for warning in reading.warnings:
        logger.warning("%s", warning)
    return reading.require_valid()


def parse_configuration(path: Path, environment: Mapping[str, str] = os.environ) -> ParsedConfiguration:
    """What a file says, right or not. Relative paths in it are relative to its folder."""
    file, secrets = str(path), SecretFile(path.parent)
    try:
        document = read_document(file, read_bounded(path), environment, secrets.tags)
    except UnreadableError as error:
        return ParsedConfiguration(Configuration(), Document(file), (error.mistake, *secrets.mistakes))
    except (OSError, ValueError) as error:
        mistake = LocatedMistake(file, 1, "", f"cannot be read: {read_failure(error)}", "name a YAML file")
        return ParsedConfiguration(Configuration(), Document(file), (mistake,))
    configuration, findings = _validated(document, path.parent)
    mistakes = {_mistake(document, finding, document.line_of(finding.path)) for finding in findings}
    mistakes |= {_mistake(document, finding, line) for line, finding in document.mistakes}
    written = WrittenNames.from_values(document.value)
    mistakes |= {*_placed(document, find_contradictions(configuration, written)), *secrets.mistakes}
    warnings = [*secrets.warnings, *_placed(document, find_doubts(configuration, written))]
    return ParsedConfiguration(configuration, document, tuple(sorted(mistakes)), tuple(warnings))


def _validated(document: Document, folder: Path) -> tuple[Configuration, list[Mistake]]:
    """As much as is right, and everything that is wrong: what a mistake hides is looked at without it."""
    value, findings = document.value, list[Mistake]()
    found: set[KeyPath] = set()
    for _ in range(MAX_ROUNDS):
        try:
            return Configuration.model_validate(value, context={"folder": folder}), findings
        except ValidationError as error:
            told = error.errors(include_url=False)
        before = frozenset(found)
        found |= {error_path(each) for each in told}
        for each in told:
            path = error_path(each)
            if not _is_consequence(each, document, before, found):
                findings.append(mistake_of(each, document, Configuration))
            value = repair(value, path, missing=each["type"] == "missing", name="[key]" in each["loc"])
    return Configuration(), findings


def _is_consequence(error: ErrorDetails, document: Document, before: Set[KeyPath], now: Set[KeyPath]) -> bool:
    """Whether it was only brought about by a mistake that has been told, or by a value that could not be found out."""
    path = error_path(error)
    if error["type"] == "extra_forbidden":
        return False
    if error["type"] == "too_short" and any(told[:-1] == path and isinstance(told[-1], int) for told in now):
        return True  # it has items, but they are wrong
    return document.is_unresolved(path) or any(path[:length] in before for length in range(len(path) + 1))


def _placed(document: Document, findings: Iterable[Mistake]) -> list[LocatedMistake]:
    """Findings that tell of values, with their lines; without the values where these are secret."""
    told = (finding.without_value() if document.is_secret(finding.path) else finding for finding in findings)
    return [_mistake(document, finding, document.line_of(finding.path)) for finding in told]


def _mistake(document: Document, finding: Mistake, line: int) -> LocatedMistake:
    return LocatedMistake(document.file, line, dotted_path(finding.path), finding.what, finding.right)
