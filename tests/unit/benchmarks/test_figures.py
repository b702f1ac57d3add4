from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from benchmarks.experiments import Scope
from benchmarks.figures import _figures, draw_all
from benchmarks.findings import Results
from gateway.planning.methods import Method
from tests.unit.benchmarks.made_up import campaign_of, measurement, memory_of

NAMES = ["memory", "latency", "speed-up", "reuse", "bytes", "sources", "stolen"]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Every figure, of a whole campaign."""
    folder = tmp_path_factory.mktemp("figures")
    drawn = draw_all(campaign_of(Scope()), memory_of(), folder)
    assert [picture.file for picture in drawn] == [f"{name}.png" for name in NAMES]
    return folder


def figure_of(name, results, memory=None):
    return next(figure for found, _, figure in _figures(results, memory) if found == name)


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_a_png_and_an_svg(folder, name):
    png, svg = (folder / f"{name}.png").read_bytes(), (folder / f"{name}.svg").read_bytes()
    assert min(len(png), len(svg)) > 5_000
    assert png.startswith(PNG)
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  (we have drawn it)


def test_nothing_else_is_written(folder):
    assert sorted(path.stem for path in folder.iterdir()) == sorted([*NAMES, *NAMES])


@pytest.mark.slow
def test_the_same_measurements_give_the_same_bytes(folder, tmp_path):
    draw_all(campaign_of(Scope()), memory_of(), tmp_path)
    for name in NAMES:
        assert (tmp_path / f"{name}.svg").read_bytes() == (folder / f"{name}.svg").read_bytes()


def test_nothing_is_drawn_of_nothing(tmp_path):
    assert draw_all(Results(Scope(), []), None, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def names_of(results, memory=None):
    return [name for name, _, _ in _figures(results, memory)]


def test_only_what_was_measured_is_drawn():
    assert names_of(Results(Scope(), []), memory_of()) == ["memory"]
    assert names_of(campaign_of(Scope(methods=(Method.WST_S,), quick=True))) == [
        "latency", "speed-up", "bytes", "sources", "stolen",
    ]  # fmt: skip
    assert names_of(campaign_of(Scope(edges=(1,)))) == ["latency", "reuse", "stolen"]
    assert names_of(campaign_of(Scope(edges=(6,), quick=True))) == ["latency", "reuse", "bytes", "sources", "stolen"]


def test_panels_are_of_the_grids_that_were_measured():
    titles = [axes.get_title() for axes in figure_of("latency", campaign_of(Scope())).axes]
    assert titles == ["3x3", "4x4", "5x5"]
    assert [axes.get_title() for axes in figure_of("reuse", campaign_of(Scope(quick=True))).axes] == ["3x3"]


@pytest.mark.parametrize("name", ["latency", "speed-up", "bytes", "sources"])
def test_every_point_lies_within_its_panel(name):
    """The authors' seconds are larger than ours: a scale that fits only ours hides them."""
    for axes in figure_of(name, campaign_of(Scope())).axes:
        bottom, top = axes.get_ylim()
        assert bottom == 0
        assert max(max(line.get_ydata()) for line in axes.lines) <= top


def labels(axes):
    return {line.get_label() for line in axes.lines}


def test_the_authors_are_beside_us_where_their_link_was_measured():
    authors = {"authors' FTP-WST", "authors' FTP-WST-S"}
    three, four, five = figure_of("latency", campaign_of(Scope())).axes
    assert labels(three) & labels(five) > authors
    assert not labels(four) & authors  # nobody measured theirs there
    for other in (Scope(link_mbit=50), Scope(shared_medium=True)):
        assert not labels(figure_of("latency", campaign_of(other)).axes[0]) & authors


def test_methods_without_measurements_are_in_no_legend():
    results = campaign_of(Scope(edges=(1, 2), methods=(Method.WST_S,), quick=True))
    for axes in figure_of("sources", results).axes:
        assert labels(axes) == {"FTP-WST-S"}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "memory"])
def test_devices_and_sources_are_whole_numbers(name):
    for axes in figure_of(name, campaign_of(Scope(edges=(1, 2), quick=True))).axes:
        assert set(axes.get_xticks()) <= {1, 2}


def test_the_caption_says_how_bytes_were_counted():
    results = campaign_of(Scope(quick=True))
    captions = {name: caption for name, caption, _ in _figures(results, None)}
    assert captions["bytes"] == "Bytes on the wire, by the interfaces"
    loopback = [measurement(m.setting, interface_bytes=None, shaped=False) for m in results.all]
    captions = {name: caption for name, caption, _ in _figures(Results(results.scope, loopback), None)}
    assert captions["bytes"] == "Bytes on the wire, as the nodes report them"
