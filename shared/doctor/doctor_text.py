"""The findings as plain text for people, without a library for terminals, which edges do not install. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from shared.doctor.doctor_findings import CheckResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.doctor.doctor_findings import Examination, Finding

MARKS = {CheckResult.OK: "ok", CheckResult.WARNING: "warning", CheckResult.FAILED: "FAILED"}

GAPS = 11
"""Width of the column of results and of the gaps between the columns, in characters."""

MAX_CHECK_WIDTH = 24
"""Characters of the column of names; names of cameras may be longer."""


def examination_lines(examination: Examination, width: int) -> Iterator[str]:
    """Yield the lines of the report, wrapped at `width` characters.

    It ends with the checks that were not tried, and a summary.
    """
    yield f"between this device and the detections of the gateway at {examination.gateway}:"
    yield ""
    tried = [finding for finding in examination.findings if finding.result is not CheckResult.NOT_TRIED]
    column = min(MAX_CHECK_WIDTH, max((len(finding.check) for finding in tried), default=0))
    for finding in tried:
        yield from _finding(finding, column, width)
    yield ""
    untried: dict[str, list[str]] = {}
    for finding in examination.findings:
        if finding.result is CheckResult.NOT_TRIED:
            untried.setdefault(finding.what, []).append(finding.check)
    for why, checks in untried.items():
        yield from _wrapped(f"not tried {why}: {', '.join(checks)}", "", "  ", width)
    yield from _wrapped(_summary(examination), "", "  ", width)


def _finding(finding: Finding, column: int, width: int) -> Iterator[str]:
    indent = " " * (column + GAPS)
    yield from _wrapped(finding.what, f"{MARKS[finding.result]:<7}  {finding.check:<{column}}  ", indent, width)
    if finding.cause:
        yield from _wrapped(f"likely cause: {finding.cause}", indent, indent, width)
    if finding.cure:
        yield from _wrapped(finding.cure, f"{indent}-> ", f"{indent}   ", width)


def _summary(examination: Examination) -> str:
    """Return the numbers of checks by result, and the check to begin with."""
    counts = {result: sum(each.result is result for each in examination.findings) for result in CheckResult}
    parts = [f"{counts[CheckResult.OK]} well"]
    parts += [f"{counts[CheckResult.WARNING]} with a warning"] if counts[CheckResult.WARNING] else []
    parts += [f"{counts[CheckResult.FAILED]} failed"] if counts[CheckResult.FAILED] else []
    first = next((each.check for each in examination.findings if each.result is CheckResult.FAILED), None)
    advice = f"; begin with the first that failed: {first}" if first else ""
    total = len(examination.findings)
    tried = total - counts[CheckResult.NOT_TRIED]
    number = f"all {total}" if tried == total else f"{tried} of {total}"
    return f"tried {number} checks: {', '.join(parts)}{advice}"


def _wrapped(text: str, first: str, others: str, width: int) -> list[str]:
    printed = "".join(letter if letter.isprintable() else "?" for letter in text)
    return textwrap.wrap(
        printed, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
