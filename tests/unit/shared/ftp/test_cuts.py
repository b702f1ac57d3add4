from __future__ import annotations

import pytest

from shared.errors import CutError
from shared.ftp.cuts import deepest_cut
from tests.networks import Builder


def test_a_network_that_can_be_tiled_throughout_is_cut_behind_its_last_layer():
    build = Builder(8, 8)
    last = build.layer("LeakyRelu", build.conv("image", 4, 3))
    assert deepest_cut(build.network(last)) == (last,)


def test_a_network_is_cut_before_the_first_layer_that_cannot_be_tiled():
    build = Builder(8, 8)
    conv = build.conv("image", 4, 3)
    squeeze = build.layer("GlobalAveragePool", conv)
    assert deepest_cut(build.network(build.conv(squeeze, 4, 1))) == (conv,)


def test_a_cut_lies_where_branches_are_together():
    build = Builder(8, 8)
    trunk = build.conv("image", 4, 3)
    left, right = build.layer("Relu", trunk), build.layer("Sigmoid", trunk)
    squeeze = build.layer("GlobalAveragePool", left)
    assert deepest_cut(build.network(build.layer("Mul", right, squeeze))) == (trunk,)


def test_a_cut_lies_behind_branches_that_have_joined():
    build = Builder(8, 8)
    trunk = build.conv("image", 4, 3)
    joined = build.layer("Concat", build.layer("Relu", trunk), build.layer("Sigmoid", trunk), axis=1)
    assert deepest_cut(build.network(build.layer("GlobalMaxPool", joined))) == (joined,)


def test_a_map_that_is_an_output_stays_needed():
    build = Builder(8, 8)
    early = build.conv("image", 4, 3)
    late = build.layer("Relu", early)
    assert deepest_cut(build.network(early, late)) == (early,)


def test_the_input_must_not_be_needed_behind_the_cut():
    build = Builder(8, 8)
    branch = build.layer("Relu", "image")
    joined = build.layer("Concat", branch, "image", axis=1)
    assert deepest_cut(build.network(joined)) == (joined,)


def test_a_network_that_cannot_be_tiled_is_refused_with_its_first_layer():
    build = Builder(8, 8)
    squeeze = build.layer("GlobalAveragePool", "image", name="squeeze")
    with pytest.raises(CutError, match=r"cannot be tiled: layer squeeze"):
        deepest_cut(build.network(squeeze))


def test_the_built_in_model_is_cut_as_deep_as_one_map_allows(nanodet):
    assert deepest_cut(nanodet.network) == nanodet.spec.cut


def test_a_layer_that_nothing_uses_does_not_hinder_a_cut():
    build = Builder(8, 8)
    build.conv("image", 4, 3, name="unused")
    last = build.conv("image", 4, 3)
    assert deepest_cut(build.network(last)) == (last,)
