"""A real RTSP server for tests, by GStreamer: rtsp://127.0.0.1:PORT/camera. Run it with the system's Python.

    /usr/bin/python3 rtsp_server.py PORT WIDTH HEIGHT CODEC [USER:PASSWORD [tcp|udp]]

CODEC is h264, still for one scene with the noise of a sensor, as h264 too, or alaw for a stream that has no video. It
says "ready" when it can be asked.
"""

import sys
from pathlib import Path

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

PATH = "/camera"
FPS = 15
SCENE = Path(__file__).parents[1] / "photos" / "astronaut.jpg"
LINES = {
    "h264": (
        "( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate={fps}/1 ! "
        "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={fps} ! rtph264pay name=pay0 pt=96 "
        "config-interval=1 )"
    ),
    "still": (
        "( filesrc location={scene} ! jpegdec ! imagefreeze is-live=true ! videoconvert ! videoscale ! "
        "video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 ! mix.sink_0 "
        "videotestsrc is-live=true pattern=snow ! "
        "video/x-raw,format=I420,width={width},height={height},framerate={fps}/1 ! mix.sink_1 "
        "compositor name=mix sink_1::alpha=0.05 ! video/x-raw,format=I420 ! "
        "x264enc tune=zerolatency speed-preset=ultrafast key-int-max={fps} ! rtph264pay name=pay0 pt=96 "
        "config-interval=1 )"
    ),
    "alaw": "( audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! alawenc ! rtppcmapay name=pay0 pt=8 )",
}


def main() -> None:
    port, width, height, codec, *login = sys.argv[1:]
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(LINES[codec].format(width=width, height=height, fps=FPS, scene=SCENE))
    # Each client has a pipeline of its own: a shared one fails an assertion of the library when one client leaves it at
    # the moment at which another begins to play.
    factory.set_shared(False)
    if login and login[0]:
        _want_login(server, factory, *login[0].split(":", 1))
    if len(login) > 1:
        factory.set_protocols(getattr(GstRtsp.RTSPLowerTrans, login[1].upper()))
    server.get_mount_points().add_factory(PATH, factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    GLib.MainLoop().run()


def _want_login(server, factory, user, password) -> None:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    for permission in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", permission, True)
    factory.set_permissions(permissions)


main()
