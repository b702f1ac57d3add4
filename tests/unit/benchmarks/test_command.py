from __future__ import annotations

import pytest
from click.testing import CliRunner

from benchmarks import command as commands
from benchmarks.cluster.shaping import Link
from benchmarks.command import command, parse_edges, parse_link, parse_methods
from benchmarks.experiments import all_settings
from benchmarks.page import Calculated
from gateway.planning.methods import PAPER_METHODS, Method
from shared.errors import ConfigurationError
from tests.unit.benchmarks.made_up import memory_of, plausible


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("3", (3,)), ("1-6", (1, 2, 3, 4, 5, 6)), ("1,2,6", (1, 2, 6)), ("6,1,1", (1, 6)), ("1-3,2-4", (1, 2, 3, 4)),
        (" 1 , 2 ", (1, 2)), ("32", (32,)),
    ],
)  # fmt: skip
def test_device_counts_are_read(text, edges):
    assert parse_edges(text) == edges


@pytest.mark.parametrize(
    "text", ["", "0", "0-3", "33", "1-33", "two", "1,", "-1", "3-1", "1.5", "1--3", "1-", "1 2", "3-1,2"]
)
def test_what_are_no_device_counts_is_refused(text):
    with pytest.raises(ConfigurationError) as raised:
        parse_edges(text)
    assert str(raised.value) == f"edges {text!r}: write numbers from 1 to 32, as 1-6 or 1,2,6"


def test_an_absurd_range_is_refused_without_being_laid_out():
    with pytest.raises(ConfigurationError, match="from 1 to 32"):
        parse_edges("1-999999999999")


@pytest.mark.parametrize(
    ("text", "methods"),
    [
        ("bodp", (Method.BODP,)), ("ftp-wst-s, bodp", (Method.WST_S, Method.BODP)),
        ("whole,bodp,ftp-wsh,ftp-wst,ftp-wst-s", PAPER_METHODS),
    ],
)  # fmt: skip
def test_methods_are_read(text, methods):
    assert parse_methods(text) == methods


@pytest.mark.parametrize("text", ["", "wst", "bodp,", "BODP", "ftp-wst;bodp", "auto", "bodp,auto"])
def test_what_are_no_methods_is_refused(text):
    with pytest.raises(ConfigurationError) as raised:
        parse_methods(text)
    assert str(raised.value) == f"methods {text!r}: write some of whole, bodp, ftp-wsh, ftp-wst, ftp-wst-s, with commas"


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("100", Link(100, shared=False)), ("12.5", Link(12.5, shared=False)), ("20,shared", Link(20, shared=True)),
        (" 20 , shared ", Link(20, shared=True)),
    ],
)  # fmt: skip
def test_a_link_is_read(text, link):
    assert parse_link(text) == link


@pytest.mark.parametrize("text", ["", "fast", "100 Mbit", "-1", "100,", "100,switch", "1e3", "shared"])
def test_what_is_no_link_is_refused(text):
    with pytest.raises(ConfigurationError, match=r"^link .*: write Mbit/s, as 100, or 100,shared for one medium$"):
        parse_link(text)


@pytest.mark.parametrize("text", ["0", "0,shared", "9" * 400], ids=["nothing", "nothing, shared", "infinite"])
def test_a_link_that_carries_nothing_is_refused(text):
    with pytest.raises(ConfigurationError, match="Mbit/s"):
        parse_link(text)


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--edges", "0", "edges '0': write numbers from 1 to 32"),
        ("--methods", "magic", "methods 'magic': write some of whole, bodp"),
        ("--link", "fast", "link 'fast': write Mbit/s"),
        ("--link", "0", "Mbit/s"),
    ],
)
def test_bad_options_are_refused_before_anything_is_done(option, value, reason, tmp_path):
    done = CliRunner().invoke(command, ["paper", option, value, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.stderr
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("")
    done = CliRunner().invoke(command, ["paper", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "is a file" in done.stderr


def calculated(_folder, *, measured):
    memory = memory_of(measured={"default": 9, "3x3": 4, "5x5": 3} if measured else {})
    return None, {commands.PAPER_NETWORK: Calculated(memory, {})}


@pytest.fixture
def scopes(monkeypatch):
    """Record the scopes that the command would measure, and measure nothing."""
    asked = []

    def remember(scope):
        asked.append(scope)
        return all_settings(scope)

    monkeypatch.setattr(commands, "all_settings", remember)
    monkeypatch.setattr(commands, "find_mosquitto", lambda: "mosquitto")
    monkeypatch.setattr(commands, "emulation_unavailable_reason", lambda _: "no root")
    monkeypatch.setattr(commands, "draw_all", lambda *_: [])  # figures take a second, and have their own tests
    monkeypatch.setattr(commands, "_calculate", calculated)
    monkeypatch.setattr(
        commands, "_measure", lambda campaign, wanted, _: campaign.measurements.extend(map(plausible, wanted))
    )
    monkeypatch.setattr(
        commands.Campaign, "open", classmethod(lambda cls, out: cls(out, {"processor": "", "cores": 2}))
    )
    return asked


@pytest.mark.parametrize(
    ("options", "edges"), [([], (1, 2, 3, 4, 5, 6)), (["--quick"], (1, 6)), (["--quick", "--edges", "2-3"], (2, 3))]
)
def test_device_counts_that_are_not_said(options, edges, scopes, tmp_path):
    done = CliRunner().invoke(command, ["paper", *options, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    (scope,) = scopes
    assert (scope.edges, scope.methods, scope.link_mbit, scope.shared_medium) == (edges, PAPER_METHODS, 100, False)


def test_the_options_are_the_scope(scopes, tmp_path):
    options = ["--edges", "1,2", "--methods", "bodp", "--link", "50,shared", "--quick", "--out", str(tmp_path)]
    done = CliRunner().invoke(command, ["paper", *options])
    assert done.exit_code == 0, done.output
    (scope,) = scopes
    assert (scope.edges, scope.methods, scope.link_mbit, scope.shared_medium) == ((1, 2), (Method.BODP,), 50, True)
    assert scope.quick


@pytest.mark.usefixtures("scopes")
def test_findings_are_printed_and_everything_else_is_on_stderr(tmp_path):
    done = CliRunner().invoke(command, ["paper", "--quick", "--methods", "bodp,ftp-wst-s", "--out", str(tmp_path)])
    figure = "throughput, FTP-WST-S against MoDNN, by sources on 6 devices: in the mean, and at best"
    assert f"{figure}: 2.50x, 2.50x (paper 1.8x, 2.4x)" in done.stdout.splitlines()
    assert "Not shaped: no root" in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1].endswith(f"the page is {tmp_path / 'README.md'}")
    assert "Not shaped" not in done.stdout


@pytest.mark.usefixtures("scopes")
def test_settings_measured_in_other_scopes_are_not_in_this_page(tmp_path, monkeypatch):
    def more(campaign, *_):
        campaign.measurements += [plausible(setting) for setting in all_settings(commands.Scope())]

    monkeypatch.setattr(commands, "_measure", more)
    done = CliRunner().invoke(command, ["paper", "--edges", "1", "--methods", "whole", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "README.md").read_text()
    assert "| whole |  | 1 | 1 |" in page
    assert "| bodp |  | 1 | 1 |" not in page


@pytest.mark.usefixtures("scopes")
def test_when_all_fail_the_first_reason_is_told(tmp_path, monkeypatch):
    def fail(campaign, wanted, _):
        campaign.failures[wanted[0].text] = "edge-1 ended before the edges' start"

    monkeypatch.setattr(commands, "_measure", fail)
    done = CliRunner().invoke(command, ["paper", "--quick", "--out", str(tmp_path)])
    assert done.exit_code != 0
    assert str(done.exception) == "nothing was measured: edge-1 ended before the edges' start"
