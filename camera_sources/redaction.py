"""URLs as they may be shown: without users, passwords and tokens. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

HIDDEN = "***"

_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{16,}")
"""A part of a path that only who knows it can guess; some cameras have no other password."""

_SECRET_NAME = re.compile(r"pass|pwd|pw|token|key|auth|secret|user|login|sid|session", re.IGNORECASE)

LONG_VALUE = 6
"""A value in a query that is as long may be a secret whatever its name; shorter ones are numbers of channels."""

_HOST = re.compile(r"[A-Za-z0-9.\-_\[\]:]*")


def redacted(url: str) -> str:
    """The URL without credentials, however badly it is written; a path of a file stays as it is.

    When in doubt too much is hidden: all before the last @, all values of a query, parts of a path that look random.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _redacted_path(url)
    before, at, after = rest.rpartition("@")
    if at and any(mark in before for mark in "?#"):
        return f"{scheme}://{HIDDEN}@{_HOST.match(after)[0]}"  # type: ignore[index]  # it matches the empty text
    return f"{scheme}://{HIDDEN + at if at else ''}{_without_tokens(after)}"


class Secrets:
    """What of a URL must not appear in any text, such as an error of somebody else's library."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = {*_credentials(url), *_query_values(url), *_tokens(url)}
        forms = {form for part in parts for form in (part, unquote(part), quote(unquote(part), safe=""))}
        self._forms = sorted((form for form in forms if form), key=len, reverse=True)

    def hide(self, text: str) -> str:
        """The text without them."""
        text = text.replace(self._url, redacted(self._url)) if self._url else text
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text


def _redacted_path(path: str) -> str:
    """A URL that lacks its scheme may be taken for a path; a path with @ in it seldom has a colon before."""
    before, at, after = path.rpartition("@")
    return f"{HIDDEN}@{_without_tokens(after)}" if at and ":" in before else path


def _without_tokens(place: str) -> str:
    """host/path?query, with what is secret in path and query hidden."""
    path, mark, query = re.fullmatch(r"([^?#]*)([?#]?)(.*)", place, re.DOTALL).groups()  # type: ignore[union-attr]
    host, *parts = path.split("/")
    shown = "/".join([host, *(HIDDEN if _TOKEN.fullmatch(part) else part for part in parts)])
    pairs = re.split(r"([&;#?])", query) if mark else []
    return shown + mark + "".join(_without_value(part) for part in pairs)


def _without_value(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if equals:
        return f"{name}={HIDDEN}" if value else pair
    return pair if not name or name in "&;#?" else HIDDEN


def _credentials(url: str) -> list[str]:
    _, separator, rest = url.partition("://")
    before, at, _ = (rest if separator else url).rpartition("@")
    if not at or (not separator and ":" not in before):
        return []
    _, _, password = before.partition(":")
    return [before, password]


def _query_values(url: str) -> list[str]:
    _, separator, rest = url.partition("://")
    _, mark, query = rest.partition("?")
    pairs = [pair.partition("=") for pair in re.split("[&;#]", query)] if separator and mark else []
    return [value or name for name, _, value in pairs if _SECRET_NAME.search(name) or len(value or name) >= LONG_VALUE]


def _tokens(url: str) -> list[str]:
    _, separator, rest = url.partition("://")
    return [part for part in re.split("[/?#]", rest)[1:] if _TOKEN.fullmatch(part)] if separator else []
