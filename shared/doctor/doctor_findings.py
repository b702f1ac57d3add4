"""Findings of the doctor: the output of `deepthings doctor --json`. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import Field

from shared.payloads.base import Message


class CheckResult(StrEnum):
    """The result of a check. A warning is no failure: something is slower than it could be, or will fail later."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class Finding(Message):
    """The result of one check, with the likely cause and the cure of what is wrong."""

    check: str
    result: CheckResult
    what: str = Field(description="what was found")
    cause: str = Field(default="", description="the likely cause; empty if nothing is wrong")
    cure: str = Field(default="", description="what to do, with the command to type; empty if nothing is wrong")


class Examination(Message):
    """All findings, in the order in which they were made."""

    at: float = Field(description="seconds since 1970")
    gateway: str = Field(description="the address of the broker that was asked")
    ok: bool = Field(description="true: nothing failed")
    findings: tuple[Finding, ...]


def passed(check: str, what: str) -> Finding:
    """Return the finding that a check found nothing wrong."""
    return Finding(check=check, result=CheckResult.OK, what=what)


def warned(check: str, what: str, cause: str, cure: str) -> Finding:
    """Return the finding of something that is worth a look."""
    return Finding(check=check, result=CheckResult.WARNING, what=what, cause=cause, cure=cure)


def failed(check: str, what: str, cause: str, cure: str) -> Finding:
    """Return the finding of something that does not work."""
    return Finding(check=check, result=CheckResult.FAILED, what=what, cause=cause, cure=cure)


def not_tried(check: str, why: str) -> Finding:
    """Return the finding that a check was left out; `why` is the end of a sentence."""
    return Finding(check=check, result=CheckResult.NOT_TRIED, what=f"because {why}")


_CURE_START = re.compile(
    r"(?:; |: |, )(?:if (?:they are|it is) yours, |to let it in again, |if one runs, |if that is not it, )?"
    r"(?:start|restart|set|stop|install|look|check|give|make|use|write|update|run|name|correct|type|join)\b"
)
"""The begin of the cure in a sentence that states a problem and ends with its cure."""


def split_cure(text: str) -> tuple[str, str]:
    """Return a sentence without the cure that it ends with, and this cure; empty if it has none."""
    found = _CURE_START.search(text)
    if found is None:
        return text, ""
    return text[: found.start()], text[found.start() :].lstrip(";:, ")
