"""Describes in words how a model's pictures and outputs are read, for several commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.models.catalogue import Model
    from shared.model.spec import Preprocessing

_MAX_LABELS = 3


def describe_decoding(model: Model) -> str:
    """Return a sentence on how a model's outputs are decoded and its pictures are given, or why it cannot detect."""
    if model.unreadable:
        return f"It cannot detect anything yet: {model.unreadable}"
    labels, preparation = model.spec.labels, model.spec.preprocessing
    shown = ", ".join(labels[:_MAX_LABELS]) + (", ..." if len(labels) > _MAX_LABELS else "")
    classes = f"{len(labels)} classes ({shown})" if labels else "classes by number"
    pixels = f"{preparation.channels.upper()}, {_range(preparation)}"
    return f"Its outputs are read as {model.spec.decoder}, {classes}; pictures are given as {pixels}."


def _range(preparation: Preprocessing) -> str:
    """Return the values of black and white pixels in the network's input, if all channels have the same."""
    ends = {(round(-m / s, 2), round((255 - m) / s, 2)) for m, s in zip(preparation.mean, preparation.std, strict=True)}
    if len(ends) > 1:
        return "normalised by channel"
    ((black, white),) = ends
    return f"{black + 0:g} to {white:g}"
