"""The keys of a .cfg that are supported, that concern training only, and that would change the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.model.darknet.config import DarknetSection

SUPPORTED_KEYS = {
    "convolutional": {
        "activation", "batch_normalize", "dilation", "filters", "groups", "pad", "padding", "size", "stride",
    },
    "maxpool": {"padding", "size", "stride"},
    "route": {"group_id", "groups", "layers"},
    "reorg": {"stride"},
    "shortcut": {"activation", "from"},
    "upsample": {"scale", "stride"},
    "dropout": set[str](),
    "region": {"anchors", "classes", "coords", "num", "softmax"},
    "yolo": {"anchors", "classes", "mask", "num", "scale_x_y"},
}  # fmt: skip
"""Layers that can be imported, and the keys that are read from each."""

TRAINING_KEYS = {
    "": {
        "burnin_update", "clip", "dont_update", "dontsave", "learning_rate", "onlyforward", "smooth", "stopbackward",
        "train_only_bn", "truth",
    },
    "convolutional": {"angle", "assisted_excitation", "grad_centr", "stream", "wait_stream"},
    "route": {"stream", "wait_stream"},
    "dropout": {"dropblock", "dropblock_size_abs", "dropblock_size_rel", "probability"},
    "region": {
        "absolute", "bias_match", "class_scale", "coord_scale", "focal_loss", "jitter", "log", "mask_scale", "max",
        "noobject_scale", "object_scale", "random", "rescore", "resize", "sqrt", "thresh",
    },
    "yolo": {
        "beta_nms", "cls_normalizer", "counters_per_class", "delta_normalizer", "focal_loss", "ignore_thresh",
        "iou_loss", "iou_normalizer", "iou_thresh", "iou_thresh_kind", "jitter", "label_smooth_eps", "max", "max_delta",
        "nms_kind", "obj_normalizer", "objectness_smooth", "random", "resize", "show_details", "truth_thresh",
    },
}  # fmt: skip
"""Keys that do not change the output of a layer; "" stands for every layer."""

NEUTRAL_VALUES = {
    "": {"dontload": "0", "dontloadscales": "0", "numload": "0"},
    "net": {"time_steps": "1"},
    "convolutional": dict.fromkeys(
        [
            "antialiasing", "bin_output", "binary", "cbn", "coordconv", "flipped", "reverse", "rotate", "stretch",
            "stretch_sway", "sway", "xnor",
        ],
        "0",
    ),
    "maxpool": {"antialiasing": "0", "maxpool_depth": "0", "maxpool_zero_nonmax": "0"},
    "reorg": {"extra": "0", "flatten": "0", "reverse": "0"},
    "shortcut": {"alpha": "1", "beta": "1", "weights_normalization": "none", "weights_type": "none"},
    "upsample": {"reverse": "0"},
    "region": {"background": "0", "classfix": "0"},
    "yolo": {"new_coords": "0"},
}  # fmt: skip
"""Keys that would change the results or the layout of the weights, and the value with which they do not."""


def check_supported(section: DarknetSection) -> None:
    """Raise ModelError for a kind of layer, or a key, that cannot be imported exactly."""
    kind = section.kind
    is_layer = section.number is not None
    if is_layer and kind not in SUPPORTED_KEYS:
        raise section.error(f"is not supported; supported layers: {', '.join(SUPPORTED_KEYS)}")
    neutral = NEUTRAL_VALUES[""] | NEUTRAL_VALUES.get(kind, {})
    for key, option in section.options.items():
        if key in neutral:
            if option.value != neutral[key]:
                raise section.error(f"is not supported; only {key}={neutral[key]} is", key)
        elif is_layer and key not in SUPPORTED_KEYS[kind] | TRAINING_KEYS[""] | TRAINING_KEYS.get(kind, set()):
            understood = ", ".join(sorted(SUPPORTED_KEYS[kind])) or "none"
            raise section.error(
                f"is not supported; remove it if it concerns training only (supported: {understood})", key
            )
