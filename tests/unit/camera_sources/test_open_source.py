from __future__ import annotations

import pytest

from camera_sources.camera_settings import CameraSettings
from camera_sources.kinds.mqtt_camera import MqttCamera
from camera_sources.kinds.pattern import Pattern
from camera_sources.kinds.picture_folder import PictureFolder
from camera_sources.kinds.rtsp_camera import RtspCamera
from camera_sources.kinds.usb_camera import UsbCamera
from camera_sources.kinds.video_file import VideoFile
from camera_sources.kinds.web_camera import WebCamera
from camera_sources.open_source import open_source
from camera_sources.source import LiveSource
from camera_sources.urls.schemes import BUILT_IN_SOURCES, ENTRY_POINT_GROUP
from shared.errors import ConfigurationError, SourceError


def test_a_file_is_a_video(video):
    assert isinstance(open_source(str(video())), VideoFile)


def test_a_folder_is_a_folder_of_pictures(pictures):
    assert isinstance(open_source(str(pictures(a_png=1))), PictureFolder)


def test_a_file_uri_is_a_path(video):
    assert isinstance(open_source(video().as_uri()), VideoFile)


def test_a_file_uri_may_be_quoted(video):
    path = video().rename(video().with_name("my video.avi"))
    assert "%20" in path.as_uri()
    assert isinstance(open_source(path.as_uri()), VideoFile)


@pytest.mark.parametrize("uri", ["/nowhere/video.mp4", "nowhere", "file:///nowhere/video.mp4"])
def test_a_source_that_is_not_there_is_refused_by_name(uri):
    with pytest.raises(SourceError, match=r"nowhere.* does not exist"):
        open_source(uri)


def test_a_camera_whose_scheme_was_forgotten_is_refused_without_its_password():
    with pytest.raises(SourceError, match="does not exist") as caught:
        open_source("me:secret@camera/1")
    assert "secret" not in str(caught.value)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="contains no pictures"):
        open_source(str(tmp_path))


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    with pytest.raises(SourceError, match=r"notes\.txt"):
        open_source(str(path))


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("rtsp://me:secret@camera:554/1", RtspCamera),
        ("RTSPS://camera/1", RtspCamera),
        ("http://camera/stream", WebCamera),
        ("https://camera/picture.jpg", WebCamera),
        ("mqtt://broker/cameras/front", MqttCamera),
        ("mqtts://me:secret@broker/cameras/front", MqttCamera),
        ("test://64x48", Pattern),
        ("/dev/video0", UsbCamera),
        ("/dev/v4l/by-id/usb-046d_HD_Pro-video-index0", UsbCamera),
    ],
)
def test_every_scheme_has_its_class_and_opening_does_not_connect(url, kind):
    assert isinstance(open_source(url), kind)
    assert isinstance(open_source(CameraSettings(source=url)), kind)


@pytest.mark.parametrize("url", ["gopher://me:secret@camera/1", "webrtc://camera?token=secret"])
def test_another_kind_of_source_is_refused_with_those_that_exist_and_without_its_password(url):
    with pytest.raises(
        ConfigurationError, match=r"not supported; write file://, http://, .*rtsps://.*dev/video"
    ) as caught:
        open_source(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["rtsp://me:secret@", "http:///picture", "/dev/sda", "/dev/video", "mqtt://me:secret@/a"]
)
def test_what_cannot_be_a_camera_is_refused_without_its_password(url):
    with pytest.raises(ConfigurationError) as caught:
        open_source(url)
    assert "secret" not in str(caught.value)


def test_a_device_that_is_not_there_fails_when_it_is_read():
    with pytest.raises(SourceError, match=r"not reachable: /dev/video99 does not exist"):
        next(open_source("/dev/video99").pictures())


CANVAS = """
from camera_sources.source import LiveSource

class Painting(LiveSource):
    def __init__(self, settings):
        self.url = settings.source.get_secret_value()

    def grabs(self):
        yield from ()
"""


@pytest.fixture
def install(monkeypatch, tmp_path):
    """Install somebody else's package, which has a camera for a scheme."""

    def offer(scheme, place="canvas_camera:Painting"):
        (tmp_path / "canvas_camera.py").write_text(CANVAS)
        folder = tmp_path / "canvas_camera-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: canvas-camera\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{scheme} = {place}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return offer


def test_a_scheme_that_somebody_else_adds_is_opened(install):
    install("canvas")
    source = open_source("canvas://louvre/1")
    assert isinstance(source, LiveSource)
    assert source.url == "canvas://louvre/1"
    with pytest.raises(ConfigurationError, match="canvas://, file://"):
        open_source("gopher://camera")


@pytest.mark.parametrize("scheme", sorted(BUILT_IN_SOURCES))
def test_nobody_takes_the_place_of_ours(install, scheme):
    install(scheme)
    url = {"test": "test://64x48"}.get(scheme, f"{scheme}://camera/1")
    assert type(open_source(url)).__module__.startswith("camera_sources.")


def test_what_somebody_else_has_broken_is_told(install):
    install("canvas", "nowhere_at_all:Painting")
    told = r"canvas://\.\.\. cannot be loaded from nowhere_at_all:Painting: No module"
    with pytest.raises(ConfigurationError, match=told):
        open_source("canvas://louvre/1")


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_source_is_not_the_current_folder(source):
    with pytest.raises(ConfigurationError, match="source is empty; write for example rtsp://"):
        open_source(source)
