"""Answers the requests for logging in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import JSONResponse, RedirectResponse

from gateway.page.page_logins import SESSION_COOKIE, LoginRefusedError
from gateway.page.page_sessions import SESSION_LIFE_S
from gateway.page.request_body import body_of
from shared.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gateway.page.page_logins import PageLogins

_NOT_KEPT = {"Cache-Control": "no-store"}


class LoginForm(BaseModel):
    """The name and the password that somebody has typed."""

    name: str = Field(max_length=100)
    password: str = Field(max_length=1000)


class LoginRoutes:
    """Answers requests about logins. Without `logins`, the page needs none, and everybody may change everything."""

    def __init__(self, logins: PageLogins | None) -> None:
        self._logins = logins

    async def log_in(self, request: Request) -> Response:
        """Answer a right name and password with a session cookie."""
        if self._logins is None:
            return RedirectResponse("/", 303)
        host, headers = request.client.host if request.client else "", dict(request.scope["headers"])
        try:
            form = LoginForm.model_validate_json(await body_of(request))
            cookie = await self._logins.log_in(form.name, form.password, self._logins.client_of(host, headers))
        except ValidationError:
            raise ConfigurationError("send name and password, as a JSON object") from None
        except LoginRefusedError as error:
            return JSONResponse({"ok": False, "error": str(error)}, error.status, headers=_NOT_KEPT)
        answer = JSONResponse({"ok": True}, headers=_NOT_KEPT)
        proxy = self._logins.proxy
        encrypted = request.url.scheme == "https" or (proxy is not None and proxy.is_encrypted(host, headers))
        answer.set_cookie(
            SESSION_COOKIE, cookie, max_age=SESSION_LIFE_S, secure=encrypted, httponly=True, samesite="strict"
        )
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session of the browser."""
        if self._logins is not None:
            self._logins.log_out(request.state.user)
        answer = JSONResponse({"ok": True}, headers=_NOT_KEPT)
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
        return answer

    async def session(self, request: Request) -> Response:
        """Answer with the user of the request, and what this user may do."""
        user = None if self._logins is None else request.state.user
        return JSONResponse(
            {
                "user": user and user.name,
                "may_change": user is None or user.login.may_change,
                "can_log_out": user is not None and user.session is not None,
            },
            headers=_NOT_KEPT,
        )

    def stream_path(self, request: Request, camera: str) -> str:
        """Return the path of a camera's stream for another program, with the token that the program needs."""
        path = f"/cameras/{camera}/stream"
        return path if self._logins is None else (
            f"{path}?token={quote(self._logins.picture_token(request.state.user, camera))}"
        )  # fmt: skip

    def still_valid(self, request: Request) -> bool:
        """Return whether the user of an earlier request may still see the page."""
        return self._logins is None or self._logins.is_valid(request.state.user)
