from __future__ import annotations

import pytest

from shared.errors import CutError
from tests.networks import ModelBuilder


@pytest.fixture
def forked():
    """trunk, then left and right beside each other, then joined, then last."""
    build = ModelBuilder(8, 8)
    trunk = build.layer("Relu", "image", name="trunk")
    left = build.layer("Sigmoid", trunk, name="left")
    right = build.layer("Tanh", trunk, name="right")
    joined = build.layer("Add", left, right, name="joined")
    return build.network(build.layer("Relu", joined, name="last"))


@pytest.mark.parametrize(
    ("cut", "layers"),
    [
        (["trunk"], ["trunk"]),
        (["left", "right"], ["trunk", "left", "right"]),
        (["joined"], ["trunk", "left", "right", "joined"]),
        (["last"], ["trunk", "left", "right", "joined", "last"]),
        (["joined", "last"], ["trunk", "left", "right", "joined", "last"]),
    ],
)
def test_a_head_holds_the_layers_that_the_cut_needs_in_their_order(forked, cut, layers):
    assert [layer.name for layer in forked.head_layers(cut)] == layers


def test_a_layer_that_the_cut_does_not_need_is_not_in_the_head():
    build = ModelBuilder(8, 8)
    trunk = build.layer("Relu", "image", name="trunk")
    build.layer("Tanh", trunk, name="aside")
    build.layer("Sigmoid", trunk, name="wanted")
    network = build.network("aside", "wanted")
    assert [layer.name for layer in network.head_layers(["wanted", "trunk"])] == ["trunk", "wanted"]


@pytest.mark.parametrize(("cut", "leak"), [(["left"], "trunk"), (["right"], "trunk")])
def test_a_cut_across_which_a_tensor_leaks_is_refused_with_its_name(forked, cut, leak):
    with pytest.raises(CutError, match=rf"behind the cut {cut[0]} also need {leak};.*\({cut[0]},{leak}\)"):
        forked.head_layers(cut)


def test_an_output_before_the_cut_is_a_leak():
    build = ModelBuilder(8, 8)
    early = build.layer("Relu", "image", name="early")
    late = build.layer("Sigmoid", early, name="late")
    last = build.layer("Tanh", late, name="last")
    with pytest.raises(CutError, match="also need early"):
        build.network(early, last).head_layers([late])


def test_an_unknown_cut_is_refused_with_names_that_exist(forked):
    with pytest.raises(CutError, match=r"no layer 'nowhere'.*trunk, left, right, joined"):
        forked.head_layers(["nowhere"])


def test_a_cut_behind_nothing_is_refused(forked):
    with pytest.raises(CutError):
        forked.head_layers([])


def test_a_network_knows_who_makes_a_tensor(forked):
    assert forked.producers["joined"].name == "joined"
    assert "image" not in forked.producers


@pytest.mark.parametrize(
    ("after", "cut", "layers"),
    [
        ([], ["joined"], ["trunk", "left", "right", "joined"]),
        (["trunk"], ["left", "right"], ["left", "right"]),
        (["trunk"], ["last"], ["left", "right", "joined", "last"]),
        (["left", "right"], ["joined", "last"], ["joined", "last"]),
        (["left", "trunk"], ["left", "right"], ["right"]),
        (["joined"], ["joined"], []),
    ],
)
def test_between_two_cuts_lie_the_layers_that_the_second_needs_and_the_first_does_not(forked, after, cut, layers):
    assert [layer.name for layer in forked.layers_between(after, cut)] == layers


@pytest.mark.parametrize(("after", "cut"), [(["left"], ["last"]), (["trunk"], ["left"])])
def test_both_cuts_are_refused_across_which_a_tensor_leaks(forked, after, cut):
    with pytest.raises(CutError, match="also need trunk"):
        forked.layers_between(after, cut)
