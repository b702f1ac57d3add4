"""Answers the requests of the page, as a starlette application. It is imported when the page is first opened."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.page.local_access import LocalOnly
from gateway.page.login_guard import LOGIN_PATH, LOGOUT_PATH, LoginGuard
from gateway.page.login_routes import LoginRoutes
from gateway.page.request_body import body_of
from gateway.page.static_files import read_static_files
from shared.errors import ConfigurationError, DeepThingsError
from shared.metrics.metric_families import METRICS_TYPE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from gateway.page.gateway_page import GatewayPage
    from gateway.page.page_logins import PageLogins

NEXT_FRAME_TIMEOUT_S = 5.0
"""A request for a picture waits this long for one; then it is answered without a picture, and the page repeats it."""

BOUNDARY = b"deepthings"

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}

NOT_KEPT = {"Cache-Control": "no-store"}


def make_application(page: GatewayPage, logins: PageLogins | None = None, *, beyond: bool = False) -> Starlette:
    """Return the application of a page. Without `logins` it serves only this machine; with `beyond`, others, too."""
    login = LoginRoutes(logins)
    routes = Routes(page, login)
    guard = Middleware(LocalOnly, beyond=beyond) if logins is None else Middleware(LoginGuard, logins=logins)
    return Starlette(
        routes=[
            Route("/", routes.static),
            Route("/static/{path:path}", routes.static),
            Route(LOGIN_PATH, routes.login_page),
            Route(LOGIN_PATH, login.log_in, methods=["POST"]),
            Route(LOGOUT_PATH, login.log_out, methods=["POST"]),
            Route("/api/session", login.session),
            Route("/metrics", routes.metrics),
            Route("/api/stream", routes.stream),
            Route("/api/history", routes.history),
            Route("/api/timelines", routes.timelines),
            Route("/api/cameras/{camera}/frame", routes.frame),
            Route("/api/cameras/{camera}/picture.jpg", routes.picture),
            Route("/api/cameras/{camera}/live.mjpeg", routes.live),
            Route("/cameras/{camera}/stream", routes.live),
            Route("/cameras/{camera}/picture.jpg", routes.picture),
            Route("/api/cameras/{camera}/stream_path", routes.stream_path),
            Route("/api/cameras/{camera}/uncounted", routes.uncounted),
            Route("/api/cameras/{camera}/set/{setting}", routes.change, methods=["POST"]),
            Route("/api/cameras/{camera}/zones/{zone}/set", routes.switch_zone, methods=["POST"]),
            Route("/api/profile", routes.profile, methods=["POST"]),
            Route("/api/events/{identity}.jpg", routes.event_picture),
            Route("/api/request/{command}", routes.request, methods=["POST"]),
        ],
        middleware=[guard],
        exception_handlers={DeepThingsError: _refused},
    )


class Routes:
    """Answers requests with the content of the page, and passes changes on to it."""

    def __init__(self, page: GatewayPage, login: LoginRoutes) -> None:
        self._page = page
        self._login = login
        self._files = read_static_files()

    async def static(self, request: Request) -> Response:
        """Answer with the file of the path; without a path, with the page itself."""
        return self._file(request, request.path_params.get("path", "index.html"))

    async def login_page(self, request: Request) -> Response:
        """Answer with the form for logging in."""
        return self._file(request, "login.html")

    def _file(self, request: Request, path: str) -> Response:
        found = self._files.get(path)
        if found is None:
            return JSONResponse({"error": "no such file"}, 404)
        headers = {**SECURITY_HEADERS, "Cache-Control": "no-cache", "ETag": found.tag}
        if request.headers.get("if-none-match") == found.tag:
            return Response(status_code=304, headers=headers)
        return Response(found.content, media_type=found.kind, headers=headers)

    async def metrics(self, _: Request) -> Response:
        """Answer with the metrics, for Prometheus."""
        return Response(self._page.metrics(), headers={"Content-Type": METRICS_TYPE})

    async def stream(self, request: Request) -> Response:
        """Answer with the sections of the page and their changes, as server-sent events, until the page is closed."""
        if self._page.viewers.full:
            return JSONResponse({"error": "too many pages are open; close one"}, 503)
        return StreamingResponse(
            self._changes(request), media_type="text/event-stream", headers={**NOT_KEPT, "X-Accel-Buffering": "no"}
        )

    async def _changes(self, request: Request) -> AsyncIterator[bytes]:
        async with contextlib.aclosing(self._page.viewers.stream()) as changes:
            async for chunk in changes:
                if not self._login.still_valid(request):
                    return
                yield chunk

    async def history(self, _: Request) -> Response:
        """Answer with the latency and throughput of the last day."""
        return JSONResponse(self._page.history(), headers=NOT_KEPT)

    async def timelines(self, _: Request) -> Response:
        """Answer with the spans of the last frames."""
        return JSONResponse(await self._page.timelines(), headers=NOT_KEPT)

    async def frame(self, request: Request) -> Response:
        """Answer with the next frame of a camera: its description and its picture in one body."""
        after = request.query_params.get("after", "")
        found = await self._page.pictures.next(self._known_camera(request), after, NEXT_FRAME_TIMEOUT_S)
        if found is None:
            return Response(status_code=204, headers=NOT_KEPT)
        return Response(found.body, media_type="application/octet-stream", headers=NOT_KEPT)

    async def picture(self, request: Request) -> Response:
        """Answer with the next picture of a camera, as JPEG; if none comes, with the last one that was fetched."""
        camera = self._known_camera(request)
        found = await self._page.pictures.next(camera, "", NEXT_FRAME_TIMEOUT_S) or self._page.pictures.newest(camera)
        if found is None:
            return Response("no picture came\n", 504, media_type="text/plain")
        return Response(found.jpeg, media_type="image/jpeg", headers={**NOT_KEPT, "X-Frame": found.frame})

    async def live(self, request: Request) -> Response:
        """Answer with pictures of a camera, one after the other (MJPEG)."""
        kind = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
        pictures = self._mjpeg(request, self._known_camera(request))
        return StreamingResponse(pictures, media_type=kind, headers=NOT_KEPT)

    async def _mjpeg(self, request: Request, camera: str) -> AsyncIterator[bytes]:
        found = self._page.pictures.newest(camera)  # first, as a still scene may have no new one for half a minute
        after = ""
        while not self._page.stopping and self._login.still_valid(request):
            if found is not None:
                after = found.frame
                head = b"--%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % (BOUNDARY, len(found.jpeg))
                yield head + found.jpeg + b"\r\n"
            found = await self._page.pictures.next(camera, after, NEXT_FRAME_TIMEOUT_S)
            if found is None:  # repeated: programs such as Home Assistant give up a stream after 10 s of silence
                found = self._page.pictures.newest(camera)

    async def stream_path(self, request: Request) -> Response:
        """Answer with the path of a camera's stream for other programs."""
        path = self._login.stream_path(request, self._known_camera(request))
        return JSONResponse({"path": path}, headers=NOT_KEPT)

    async def uncounted(self, request: Request) -> Response:
        """Answer with the last objects of a camera that never counted, and why."""
        return JSONResponse(self._page.uncounted(self._known_camera(request)), headers=NOT_KEPT)

    async def event_picture(self, request: Request) -> Response:
        """Answer with the picture of an object."""
        jpeg = self._page.record.picture_of(request.path_params["identity"])
        if jpeg is None:
            return Response(status_code=404)
        return Response(jpeg, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=60"})

    async def change(self, request: Request) -> Response:
        """Change a setting of a camera, like the topic `set` of MQTT."""
        body = await body_of(request)
        await self._page.change_setting(self._known_camera(request), request.path_params["setting"], body)
        return JSONResponse({"ok": True})

    async def switch_zone(self, request: Request) -> Response:
        """Switch a zone, like the topic `set` of MQTT."""
        camera, zone = self._known_camera(request), request.path_params["zone"]
        await self._page.switch_zone(camera, zone, await body_of(request))
        return JSONResponse({"ok": True})

    async def profile(self, request: Request) -> Response:
        """Let a profile apply, like the topic `set` of MQTT."""
        await self._page.choose_profile((await body_of(request)).decode(errors="replace").strip())
        return JSONResponse({"ok": True})

    async def request(self, request: Request) -> Response:
        """Carry out a request, like the topic `bridge/request` of MQTT."""
        body = await body_of(request)
        try:
            wanted = from_json(body) if body else {}
        except ValueError:
            wanted = None
        if not isinstance(wanted, dict):
            raise ConfigurationError("a request must be a JSON object, or empty")
        return JSONResponse({"ok": True, "data": await self._page.perform(request.path_params["command"], wanted)})

    def _known_camera(self, request: Request) -> str:
        camera: str = request.path_params["camera"]
        if not self._page.knows_camera(camera):
            raise ConfigurationError(f"camera {camera[:64]!r} not found")
        return camera


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"ok": False, "error": str(error)}, 400)
