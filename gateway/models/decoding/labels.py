"""What classes are called where nobody says it: by their number, as the data set most detectors are trained on does."""

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
"""Of COCO's numbers from 0 to 90, those without a category."""


def class_label(number: int, labels: tuple[str, ...]) -> str:
    """Return what a class is called: its label, or class_N behind the last of them."""
    return labels[number] if number < len(labels) else f"class_{number}"


def usual_labels(family: str, classes: int) -> tuple[str, ...]:
    """Return the labels of so many classes of a family's models that nobody names; class_N where nobody knows."""
    if family == "yunet":
        return ("face",)
    if classes == len(COCO):
        return COCO
    if classes == len(COCO) + len(UNUSED_IDS):
        names = iter(COCO)
        return tuple(f"class_{number}" if number in UNUSED_IDS else next(names) for number in range(classes))
    return tuple(class_label(number, ()) for number in range(classes))
