"""Files and sections that the documents name are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md")), ROOT / "mosquitto" / "README.md"]
OF_THE_CODE = [
    ROOT / "CONTRIBUTING.md",
    *(DOCS / f"{name}.md" for name in ("architecture", "extending", "glossary")),
    *sorted((DOCS / "decisions").glob("*.md")),
]
"""Pages that name files from the root on, in backticks."""

FOLDERS = ("benchmarks", "camera_sources", "docs", "edge", "gateway", "mosquitto", "scripts", "shared", "tests")


def shown(page):
    return page.relative_to(ROOT).as_posix()


def paths_in(text):
    """The files and folders of this repository that a text names in backticks."""
    words = [word for quoted in re.findall(r"`([^`\n]+)`", text) for word in quoted.split()]
    below = tuple(f"{folder}/" for folder in FOLDERS)
    return {
        word.partition("::")[0] for word in words if word.startswith(below) or re.fullmatch(r"[\w/]+\.(py|md)", word)
    }


def anchors_of(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", OF_THE_CODE, ids=shown)
def test_files_that_a_page_names_are_there(page):
    paths = paths_in(page.read_text())
    assert {path for path in paths if not (ROOT / path).exists()} == set()
    assert paths or page.name == "README.md"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_to_a_file_and_to_a_heading_in_it(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http://", "https://"))]
    lost = []
    for link in links:
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors_of(there)):
            lost.append(link)
    assert lost == []


def test_every_decision_is_in_the_index_once_and_in_order():
    folder = DOCS / "decisions"
    pages = sorted(path.name for path in folder.glob("*.md") if path.name != "README.md")
    assert re.findall(r"\]\((\d\d-[\w-]+\.md)\)", (folder / "README.md").read_text()) == pages
    titles = [(folder / name).read_text().partition("\n")[0].removeprefix("# ") for name in pages]
    assert [title.partition(".")[0] for title in titles] == [str(number) for number in range(1, len(pages) + 1)]


def test_the_architecture_names_every_room():
    """Each folder and module at the top of a package, in a table of its own package."""
    text = (DOCS / "architecture.md").read_text()
    rows = " ".join(line for line in text.splitlines() if line.startswith("| `"))
    for package in ("gateway", "shared", "edge", "camera_sources"):
        folders = {f"{path.parent.relative_to(ROOT).as_posix()}/" for path in (ROOT / package).glob("*/__init__.py")}
        modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).glob("[a-z]*.py")}
        assert {room for room in folders | modules if f"`{room}`" not in rows} == set()


def test_the_layers_of_the_architecture_are_those_of_the_import_rules():
    text = (DOCS / "architecture.md").read_text()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    inside = {contract["containers"][0]: contract["layers"] for contract in contracts if "containers" in contract}
    for package, layers in inside.items():
        wanted = [{name.strip() for name in layer.split("|")} for layer in layers]
        (section,) = re.findall(rf"^### In (?:the |an )?{package}\n(.*?)(?=^#)", text, re.DOTALL | re.MULTILINE)
        found = re.findall(rf"^\| (`{package}/.*?) \|", section, re.MULTILINE)
        rows = [{Path(path).stem for path in re.findall(r"`([^`]+)`", cell)} for cell in found]
        assert rows == wanted
