"""Preprocessing that several families share."""

from __future__ import annotations

from shared.model.spec import Preprocessing

IMAGENET = Preprocessing(channels="rgb", mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375), fill=114)
"""Normalised by the mean and standard deviation of ImageNet's pictures."""

RGB_FROM_0_TO_1 = Preprocessing(channels="rgb", fill=114)
"""Values from 0 to 1, not normalised further."""
