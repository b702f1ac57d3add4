from __future__ import annotations

import cv2
import numpy as np
import pytest


@pytest.fixture
def video(tmp_path):
    """Write a Motion JPEG of so many pictures, each a little brighter than the one before."""

    def write(pictures=5, fps=25.0, size=(48, 64)):
        path = tmp_path / "video.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (size[1], size[0]))
        assert writer.isOpened()
        for number in range(pictures):
            writer.write(np.full((*size, 3), 20 * number, np.uint8))
        writer.release()
        return path

    return write


@pytest.fixture
def pictures(tmp_path):
    """Write a folder of small pictures: name to brightness."""

    def write(**brightness):
        folder = tmp_path / "pictures"
        folder.mkdir()
        for name, value in brightness.items():
            path = folder / name.replace("_", ".")
            assert cv2.imwrite(str(path), np.full((6, 8, 3), value, np.uint8))
        return folder

    return write
