"""Reading the configuration file: one pass that finds every mistake."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import ValidationError

from gateway.configuration.reading.consistency import Written, contradictions, doubts, unknown_labels
from gateway.configuration.reading.document import Document, read_document
from gateway.configuration.reading.explanations import finding_of, path_of
from gateway.configuration.reading.mistakes import Finding, Mistake, dotted
from gateway.configuration.reading.repairs import repaired
from gateway.configuration.reading.secret_file import Secrets, read_bounded, reason
from gateway.configuration.reading.yaml_nodes import UnreadableError
from gateway.configuration.root import Configuration
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence, Set
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from gateway.configuration.reading.mistakes import Path as KeyPath

logger = logging.getLogger(__name__)

ROUNDS = 6
"""How often what is wrong is taken out, to see what was behind it: sections are as deep in each other."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: as much of the configuration as is right, and all mistakes."""

    configuration: Configuration
    document: Document
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[Mistake, ...] = ()

    def right(self) -> Configuration:
        """The configuration. Raises ConfigurationError with all mistakes, a line for each."""
        if self.mistakes:
            raise ConfigurationError("\n".join(map(str, self.mistakes)))
        return self.configuration

    def with_labels(self, labels: Sequence[str]) -> Reading:
        """The same, also checked against the labels of the model; one that has none is not asked."""
        found = unknown_labels(self.configuration, labels) if labels else ()
        mistakes = sorted({*self.mistakes, *_placed(self.document, found)})
        return replace(self, mistakes=tuple(mistakes))

    def with_mistake(self, path: KeyPath, message: str) -> Reading:
        """The same with one mistake more, "what is wrong; what would be right", which another part has found."""
        more = _placed(self.document, [Finding.parse(path, message)])
        return replace(self, mistakes=tuple(sorted({*self.mistakes, *more})))

    def model_is_right(self) -> bool:
        """Whether no mistake is about the model."""
        return not any(mistake.path.partition(".")[0] in {"", "model"} for mistake in self.mistakes)


def read_configuration(path: Path, environment: Mapping[str, str] = os.environ) -> Configuration:
    """The configuration in a YAML file; warnings are logged.

    Raises ConfigurationError with every mistake, one a line: `file:line: path.to.key: what is wrong; what would be
    right`.
    """
    reading = read(path, environment)
    for warning in reading.warnings:
        logger.warning("%s", warning)
    return reading.right()


def read(path: Path, environment: Mapping[str, str] = os.environ) -> Reading:
    """What a file says, right or not. Relative paths in it are relative to its folder."""
    file, secrets = str(path), Secrets(path.parent)
    try:
        document = read_document(file, read_bounded(path), environment, secrets.tags)
    except UnreadableError as error:
        return Reading(Configuration(), Document(file), (error.mistake, *secrets.mistakes))
    except (OSError, ValueError) as error:
        mistake = Mistake(file, 1, "", f"cannot be read: {reason(error)}", "name a YAML file")
        return Reading(Configuration(), Document(file), (mistake,))
    configuration, findings = _validated(document, path.parent)
    mistakes = {_mistake(document, finding, document.line(finding.path)) for finding in findings}
    mistakes |= {_mistake(document, finding, line) for line, finding in document.findings}
    written = Written.of(document.value)
    mistakes |= {*_placed(document, contradictions(configuration, written)), *secrets.mistakes}
    warnings = [*secrets.warnings, *_placed(document, doubts(configuration, written))]
    return Reading(configuration, document, tuple(sorted(mistakes)), tuple(warnings))


def _validated(document: Document, folder: Path) -> tuple[Configuration, list[Finding]]:
    """As much as is right, and everything that is wrong: what a mistake hides is looked at without it."""
    value, findings = document.value, list[Finding]()
    found: set[KeyPath] = set()
    for _ in range(ROUNDS):
        try:
            return Configuration.model_validate(value, context={"folder": folder}), findings
        except ValidationError as error:
            told = error.errors(include_url=False)
        before = frozenset(found)
        found |= {path_of(each) for each in told}
        for each in told:
            path = path_of(each)
            if not _is_consequence(each, document, before, found):
                findings.append(finding_of(each, document, Configuration))
            value = repaired(value, path, missing=each["type"] == "missing", name="[key]" in each["loc"])
    return Configuration(), findings


def _is_consequence(error: ErrorDetails, document: Document, before: Set[KeyPath], now: Set[KeyPath]) -> bool:
    """Whether it was only brought about by a mistake that has been told, or by a value that could not be found out."""
    path = path_of(error)
    if error["type"] == "extra_forbidden":
        return False
    if error["type"] == "too_short" and any(told[:-1] == path and isinstance(told[-1], int) for told in now):
        return True  # it has items, but they are wrong
    return document.is_unknown(path) or any(path[:length] in before for length in range(len(path) + 1))


def _placed(document: Document, findings: Iterable[Finding]) -> list[Mistake]:
    """Findings that tell of values, with their lines; without the values where these are secret."""
    told = (finding.of_secret() if document.is_hidden(finding.path) else finding for finding in findings)
    return [_mistake(document, finding, document.line(finding.path)) for finding in told]


def _mistake(document: Document, finding: Finding, line: int) -> Mistake:
    return Mistake(document.file, line, dotted(finding.path), finding.what, finding.right)
