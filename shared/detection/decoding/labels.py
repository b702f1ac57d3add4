"""Usual labels, for models that have none: those of the data set that most detectors are trained on."""

from __future__ import annotations

COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
"""COCO's 80 categories, in their order."""

UNUSED_IDS = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
"""COCO's numbers from 0 to 90 that have no category."""


def class_label(number: int, labels: tuple[str, ...]) -> str:
    """Return the label of a class, or class_N behind the last label."""
    return labels[number] if number < len(labels) else f"class_{number}"


def usual_labels(family: str, classes: int) -> tuple[str, ...]:
    """Return the usual labels of a family's models with this number of classes; class_N where there are none."""
    if family == "yunet":
        return ("face",)
    if classes == len(COCO):
        return COCO
    if classes == len(COCO) + len(UNUSED_IDS):
        names = iter(COCO)
        return tuple(f"class_{number}" if number in UNUSED_IDS else next(names) for number in range(classes))
    return tuple(class_label(number, ()) for number in range(classes))
