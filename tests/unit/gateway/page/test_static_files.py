"""The files of the page: small, from here alone, and those of others as they were published."""

import hashlib
import re

import pytest

from gateway.page.static_files import STATIC, read_static_files

FILES = read_static_files()
MAX_BYTES = 150_000
"""What docs/page.md promises."""


def test_all_files_together_are_small():
    assert sum(len(file.content) for file in FILES.values()) < MAX_BYTES


def test_licences_are_there_and_not_served():
    vendored = [name for name in FILES if name.startswith("vendor/")]
    assert len(vendored) == 4
    assert not any("LICENSE" in name or name.endswith(".md") for name in FILES)
    for package in ("preact", "htm", "uplot"):
        assert "Licen" in (STATIC / "vendor" / f"LICENSE-{package}").read_text()


def test_files_of_others_are_those_that_their_provenance_names():
    rows = re.findall(
        r"^\| `(\S+)` \|.*`([0-9a-f]{64})` \|$", (STATIC / "vendor" / "PROVENANCE.md").read_text(), re.MULTILINE
    )
    assert {f"vendor/{name}": digest for name, digest in rows} == {
        name: hashlib.sha256(file.content).hexdigest() for name, file in FILES.items() if name.startswith("vendor/")
    }


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith("vendor/")])
def test_nothing_is_asked_of_other_servers(name):
    text = FILES[name].content.decode()
    assert set(re.findall(r"https?://[^\s\"'`<]*", text)) <= {"http://www.w3.org/2000/svg"}


def test_every_file_that_is_named_is_there():
    for name, file in FILES.items():
        if name.startswith("vendor/"):
            continue
        text = file.content.decode()
        named = {*re.findall(r'"/static/([^"]+)"', text), *re.findall(r'from "\./([^"]+)"', text)}
        assert named <= FILES.keys(), name
