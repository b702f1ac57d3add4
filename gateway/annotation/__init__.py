"""Drawing on pictures: boxes, labels and text."""
