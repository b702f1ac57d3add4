from __future__ import annotations

import pytest

from shared.errors import ModelError
from shared.model.darknet import load_darknet
from tests.darknet_files import cfg_text, conv, head_conv, net, write, yolo
from tests.unit.shared.model.darknet.running import (
    BEFORE,
    SIZE,
    image_of,
    run,
)


@pytest.fixture
def load(tmp_path):
    """Write and load a network of these sections."""

    def load(*sections, seed=1):
        files = write(tmp_path, sections, seed=seed)
        return load_darknet(files.cfg, files.weights)

    return load


@pytest.fixture
def maps(load):
    """Every tensor of BEFORE and these layers, for a random image, by name; maps as (C, H, W)."""

    def maps(*layers, seed=1):
        made = run(load(*BEFORE, *layers, seed=seed).model, image_of(SIZE))
        return {name: value[0] if value.ndim == 4 else value for name, value in made.items()}

    return maps


@pytest.fixture
def refuse(tmp_path):
    """Write a network, and check that loading refuses it with this message; its weights are long enough."""

    def refuse(sections, message):
        files = write(tmp_path, BEFORE)
        files.cfg.write_text(cfg_text(sections))
        files.weights.write_bytes(files.weights.read_bytes() + bytes(50_000))
        with pytest.raises(ModelError, match=message) as refusal:
            load_darknet(files.cfg, files.weights)
        assert "\n" not in str(refusal.value)

    return refuse


@pytest.fixture
def small(tmp_path):
    """Return a batch-normalised layer of 4 filters, and a head for 2 anchors and 1 class: 20 + 492 bytes, then 384."""
    return write(tmp_path, [net((16, 16)), conv(4, 3, stride=8), head_conv(12), yolo("0,1", "4,4, 8,8", 1)])
