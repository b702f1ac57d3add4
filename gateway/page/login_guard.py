"""Lets only logged-in users use the page, and lets users with read-only logins change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, RedirectResponse

from gateway.page.local_access import PAGE_HEADER, SAFE_METHODS, host_in_url
from gateway.page.page_logins import LoginRefusedError
from shared.errors import DeepThingsError

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateway.page.page_logins import PageLogins, PageUser

LOGIN_PATH, LOGOUT_PATH = "/login", "/api/logout"

OPEN_PATHS = ("/static/",)
"""Paths that need no login: the files of the page contain no secrets."""


class LoginGuard:
    """Checks requests before the application gets them, and puts the `user` into their state."""

    def __init__(self, app: ASGIApp, logins: PageLogins) -> None:
        self._app = app
        self._logins = logins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            return
        headers, host = dict(scope["headers"]), scope["client"][0] if scope["client"] else ""
        path, method = scope["path"], scope["method"]
        try:
            if refusal := self._refuse_other_sites(method, host, headers):
                answer: Response | None = _refused(refusal, 403)
            elif path == LOGIN_PATH or path.startswith(OPEN_PATHS):
                answer = None
            else:
                user = await self._user(scope, host, headers)
                scope.setdefault("state", {})["user"] = user
                answer = None if user is not None else _ask_to_log_in(path)
                changes = method not in SAFE_METHODS and path != LOGOUT_PATH
                if user is not None and changes and not user.login.may_change:
                    answer = _refused(f"the login {user.name} may look, and change nothing", 403)
        except LoginRefusedError as error:
            answer = _refused(str(error), error.status)
        except DeepThingsError as error:
            answer = _refused(str(error), 503)
        await (self._app if answer is None else answer)(scope, receive, send)

    async def _user(self, scope: Scope, host: str, headers: dict[bytes, bytes]) -> PageUser | None:
        camera = pictured_camera(scope["path"])
        token = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if camera and token:
            return self._logins.by_picture_token(token, camera)
        return await self._logins.identify(host, headers)

    def _refuse_other_sites(self, method: str, host: str, headers: dict[bytes, bytes]) -> str:
        """Return the refusal of a change that may come from a page of another site; empty if it cannot."""
        if method in SAFE_METHODS:
            return ""
        if PAGE_HEADER not in headers:
            return "only the page itself may change something: send the header X-DeepThings"
        origin = headers.get(b"origin")
        proxy = self._logins.proxy
        # A reverse proxy may serve the page at another host than the one in the request.
        if origin is None or (proxy is not None and proxy.sends(host)):
            return ""
        same = host_in_url(origin.decode("latin-1")) == host_in_url("//" + headers.get(b"host", b"").decode("latin-1"))
        return "" if same else "a page of another site may not change anything here"


def pictured_camera(path: str) -> str:
    """Return the camera whose pictures have this path; empty for all other paths."""
    first, camera, what = [*path.strip("/").split("/"), "", "", ""][:3]
    return camera if first == "cameras" and what in {"stream", "picture.jpg"} else ""


def _ask_to_log_in(path: str) -> Response:
    if path == "/":
        return RedirectResponse(LOGIN_PATH, 303)
    return _refused("log in first; a program sends name and password with each request", 401)


def _refused(reason: str, status: int) -> Response:
    return JSONResponse({"ok": False, "error": reason}, status, headers={"Cache-Control": "no-store"})
