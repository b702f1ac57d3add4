"""The check for known weaknesses, with the real pip-audit and a service of advisories on this machine."""

from __future__ import annotations

import http.server
import json
import sys
import threading
import time

import pytest

from scripts import audit_packages
from tests.ports import free_port

WEAKNESS = {
    "id": "PYSEC-2026-1", "aliases": ["CVE-2026-0001"], "published": "2026-01-01T00:00:00Z", "details": "Bad.",
    "affected": [{
        "package": {"name": "click", "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}],
    }],
}  # fmt: skip


class Advisories:
    """A service that knows weaknesses by package, in the form of osv.dev."""

    def __init__(self):
        self.asked, self.weaknesses = [], {}
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.asked.append(asked["package"]["name"])
                answer = json.dumps({"vulns": service.weaknesses.get(asked["package"]["name"], [])}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.options = ["-s", "osv", "--osv-url", f"http://127.0.0.1:{self._server.server_port}/v1/query"]

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def advisories():
    service = Advisories()
    yield service
    service.close()


@pytest.fixture(autouse=True)
def packages(tmp_path, monkeypatch):
    """Write the packages to check; the answer is kept in a folder of the test."""
    path = tmp_path / "constraints.txt"
    path.write_text("click==8.5.1\ncolorama==0.4.6 ; sys_platform == 'win32'\nrich==15.0.0\n")
    monkeypatch.setattr(audit_packages, "CONSTRAINTS", path)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return path


def test_a_known_weakness_fails_the_check_with_its_name_and_the_version_without_it(advisories, capsys):
    advisories.weaknesses["click"] = [WEAKNESS]
    assert audit_packages.main(advisories.options) == 1
    said = capsys.readouterr().out
    assert said == (
        "constraints.txt: click==8.5.1 has a known weakness, PYSEC-2026-1, CVE-2026-0001: write click==99.1 there\n"
    )
    assert sorted(advisories.asked) == ["click", "rich"], "not those of other systems"
    assert audit_packages.main(advisories.options) == 1, "the answer that is kept fails as well"


def test_without_weaknesses_nothing_is_said_and_each_day_is_asked_once(advisories, packages, capsys, monkeypatch):
    for _ in range(3):
        assert audit_packages.main(advisories.options) == 0
    assert capsys.readouterr().out == ""
    assert len(advisories.asked) == 2
    packages.write_text("click==8.5.0\n")
    assert audit_packages.main(advisories.options) == 0
    assert len(advisories.asked) == 3, "other packages"
    tomorrow = time.time() + 24 * 3600
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    monkeypatch.setattr(time, "gmtime", lambda at=None, then=time.gmtime: then(tomorrow if at is None else at))
    assert audit_packages.main(advisories.options) == 0
    assert len(advisories.asked) == 4, "another day"


def test_without_a_network_that_is_said_in_a_line_and_the_check_goes_on(capsys, monkeypatch):
    options = ["-s", "osv", "--osv-url", f"http://127.0.0.1:{free_port()}/v1/query"]
    assert audit_packages.main(options) == 0
    said = capsys.readouterr().out
    assert said.startswith("audit: the advisories could not be read, so nothing is known of weaknesses: ")
    assert said.count("\n") == 1
    monkeypatch.setattr(audit_packages, "ask_for_advisories", lambda _: pytest.fail("asked again within the hour"))
    assert audit_packages.main(options) == 0
    assert capsys.readouterr().out == said


def test_packages_that_the_service_does_not_know_are_not_taken_for_sound(capsys, monkeypatch):
    """An index without advisories answers that it does not know the package."""
    report = {"dependencies": [{"name": name, "skip_reason": "not found"} for name in ("click", "rich")]}

    def answer(*_, **__):
        return audit_packages.subprocess.CompletedProcess([], 0, json.dumps(report), "")

    monkeypatch.setattr(audit_packages.subprocess, "run", answer)
    assert audit_packages.main([]) == 0
    assert "could not be read, so nothing is known of weaknesses: not found" in capsys.readouterr().out


def test_a_weakness_without_a_release_that_mends_it_is_said_too():
    line = audit_packages.weakness_line("click", "8.5.1", {"id": "PYSEC-2026-2", "fix_versions": []})
    assert line.endswith("PYSEC-2026-2: no release is without it: replace the package, or decide why not")
