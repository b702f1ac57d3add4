"""Ask for known weaknesses of the packages in constraints.txt, once a day; fail when one has some.

Usage: python scripts/audit_packages.py [option of pip-audit ...]

The answer is kept in .venv until the day or constraints.txt changes. Without a network the advisories cannot be read:
that is said in one line, and fails nothing.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
KEPT_FILE = "audit.json"
"""In the folder of the virtual environment."""

AUDIT_TIMEOUT_S = 180
"""A hundred packages are one request each."""

REQUEST_TIMEOUT_S = 10

UNREAD_KEPT_S = 3600
"""So long nobody asks again after the advisories could not be read: without a network each check would wait for it."""


def main(options: list[str]) -> int:
    """Print what was found; return the exit code."""
    kept = Path(sys.prefix) / KEPT_FILE
    key = hashlib.sha256(CONSTRAINTS.read_bytes() + repr(options).encode()).hexdigest()
    report = _kept_report(kept, key)
    if report is None:
        report = {"key": key, "time": time.time(), **ask_for_advisories(options)}
        kept.write_text(json.dumps(report), "utf-8")
    if report["unread"]:
        print(f"audit: the advisories could not be read, so nothing is known of weaknesses: {report['unread']}")
        return 0
    for line in report["weaknesses"]:
        print(f"constraints.txt: {line}")
    if report["skipped"]:
        print(f"audit: no advisories could be read about {', '.join(report['skipped'])}")
    return 1 if report["weaknesses"] else 0


def ask_for_advisories(options: list[str]) -> dict[str, Any]:
    """Return the `weaknesses`, a line for each, and the packages that were `skipped`.

    Or the reason why nothing could be read is `unread`. `options` are further ones of pip-audit.
    """
    command = [
        sys.executable, "-m", "pip_audit", "--requirement", str(CONSTRAINTS), "--no-deps", "--disable-pip", "--format",
        "json", "--progress-spinner", "off", "--timeout", str(REQUEST_TIMEOUT_S), *options,
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=AUDIT_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return _unread(f"they took longer than {AUDIT_TIMEOUT_S} s")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return _unread((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1])
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        return _unread(packages[0]["skip_reason"] if packages else "there are no packages")
    weaknesses = [
        weakness_line(package["name"], package["version"], weakness)
        for package in packages
        for weakness in package.get("vulns", ())
    ]
    return {"weaknesses": weaknesses, "skipped": skipped, "unread": ""}


def weakness_line(name: str, version: str, weakness: dict[str, Any]) -> str:
    """Return what is wrong with a package, and what to do."""
    names = ", ".join(dict.fromkeys([weakness["id"], *weakness.get("aliases", ())]))
    fixed = " or ".join(weakness.get("fix_versions", ()))
    missing = "no release is without it: replace the package, or decide why not"
    cure = f"write {name}=={fixed} there" if fixed else missing
    return f"{name}=={version} has a known weakness, {names}: {cure}"


def _unread(reason: str) -> dict[str, Any]:
    return {"weaknesses": [], "skipped": [], "unread": reason[:200]}


def _kept_report(path: Path, key: str) -> dict[str, Any] | None:
    """Return the report of today about the same packages; None when there is none."""
    try:
        report: dict[str, Any] = json.loads(path.read_text("utf-8"))
        age_s = time.time() - report["time"]
        same_day = time.strftime("%Y-%j", time.gmtime(report["time"])) == time.strftime("%Y-%j", time.gmtime())
    except (OSError, ValueError, KeyError, TypeError):
        return None
    fresh = 0 <= age_s < UNREAD_KEPT_S if report["unread"] else same_day
    return report if report["key"] == key and fresh else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
