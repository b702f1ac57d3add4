from __future__ import annotations

import json

import pytest

from camera_sources.camera_settings import AssignedCamera, CameraSettings
from shared.errors import ConfigurationError

SETTINGS = CameraSettings(
    source="rtsp://me:secret@camera/1", kind="mjpeg", fps=5, loop=False, rotate=90, crop=(0, 0.1, 1, 0.9),
    stale_after=2, motion={"enabled": True, "mask": [[[0, 0], [1, 0], [1, 1]]]},
)  # fmt: skip


def test_an_assignment_survives_its_line_with_the_password():
    camera = AssignedCamera(settings=SETTINGS, detect=False, fps=2)
    line = camera.encode()
    assert "\n" not in line
    assert AssignedCamera.decode(line) == camera
    assert AssignedCamera.decode(line.encode()).settings.source.get_secret_value() == "rtsp://me:secret@camera/1"


def test_a_password_does_not_show_in_what_is_printed():
    camera = AssignedCamera(settings=SETTINGS)
    for shown in (repr(camera), str(camera), camera.model_dump_json(), str(camera.model_dump())):
        assert "secret" not in shown


def test_another_password_is_another_assignment():
    other = SETTINGS.model_copy(update={"source": CameraSettings(source="rtsp://me:other@camera/1").source})
    assert AssignedCamera(settings=SETTINGS) != AssignedCamera(settings=other)


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("", "settings: Invalid JSON"),
        ("[]", "settings: "),
        ("{}", "settings.settings|settings: Field required"),
        ({"settings": {}}, "settings.source: Field required"),
        ({"settings": {"source": ["secret"]}}, "settings.source: "),
        ({"settings": {"source": "rtsp://me:secret@camera", "kind": "secret"}}, "settings.kind: "),
        ({"settings": {"source": "rtsp://me:secret@camera", "crop": "secret"}}, "settings.crop: "),
        ({"settings": {"source": "rtsp://me:secret@camera"}, "detect": "secret"}, "detect: "),
        ({"settings": {"source": "rtsp://me:secret@camera"}, "fps": 0}, "fps: "),
    ],
)
def test_a_line_that_cannot_be_is_refused_by_place_and_without_its_values(line, place):
    with pytest.raises(ConfigurationError, match=f"settings of a camera: .*({place})") as caught:
        AssignedCamera.decode(line if isinstance(line, str) else json.dumps(line))
    assert "secret" not in str(caught.value)
