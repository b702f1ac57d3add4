"""Removes users, passwords and tokens from URLs and texts before they are shown. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

HIDDEN = "***"

_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9]{16,}")
"""A random part of a path, which is the only password of some cameras."""

_SECRET_NAME = re.compile(r"pass|pwd|pw|token|key|auth|secret|user|login|sid|session", re.IGNORECASE)

MIN_SECRET_VALUE_LENGTH = 6
"""A query value with at least this many characters may be a secret, whatever its name; shorter ones are numbers."""

MIN_SECRET_LENGTH = 4
"""A secret with at least this many characters is hidden everywhere in a text; a shorter one may be part of a word."""

_SECRET_IN_PATH = re.compile(r"([A-Za-z]*)=([^&;/?#]*)")
"""A name and a value in a path, as in recorders' URLs: /user=admin&password=secret&channel=1,
/user=admin_password=secret_channel=1."""

_HOST = re.compile(r"[A-Za-z0-9.\-_\[\]:]*")


def redacted(url: str) -> str:
    """Return the URL without credentials, even if it is malformed; the path of a file is not changed.

    When in doubt, it hides too much: all before the last @, all query values, and parts of a path that look random.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _redacted_path(url)
    before, at, after = rest.rpartition("@")
    if at and any(mark in before for mark in "?#"):
        return f"{scheme}://{HIDDEN}@{_HOST.match(after)[0]}"  # type: ignore[index]  # it matches an empty string
    return f"{scheme}://{HIDDEN + at if at else ''}{_without_tokens(after)}"


class UrlSecrets:
    """Removes the secrets of one URL from other texts, such as error messages of libraries."""

    def __init__(self, url: str) -> None:
        self._url = url
        parts = {*_credentials(url), *_query_values(url), *_path_values(url)}
        forms = {form for part in parts for form in (part, unquote(part), quote(unquote(part), safe=""))}
        self._forms = sorted((form for form in forms if len(form) >= MIN_SECRET_LENGTH), key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Return the text without the secrets."""
        text = text.replace(self._url, redacted(self._url)) if self._url else text
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text


def _redacted_path(path: str) -> str:
    """Redact a URL without its scheme, which looks like a path: it has a colon before the @, unlike most paths."""
    before, at, after = path.rpartition("@")
    return f"{HIDDEN}@{_without_tokens(after)}" if at and ":" in before else path


def _without_tokens(rest: str) -> str:
    """Return host/path?query with the secrets in path and query hidden."""
    path, mark, query = re.fullmatch(r"([^?#]*)([?#]?)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    host, *parts = path.split("/")
    shown = "/".join([host, *(HIDDEN if _is_secret_part(part) else part for part in parts)])
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
    return [
        value or name
        for name, _, value in pairs
        if _SECRET_NAME.search(name) or len(value or name) >= MIN_SECRET_VALUE_LENGTH
    ]


def _is_secret_part(part: str) -> bool:
    """Return whether a part of a path is secret: random, user:password, or with the name of a secret in it."""
    names = [name for name, _ in _SECRET_IN_PATH.findall(part)]
    return bool(_TOKEN.fullmatch(part)) or ":" in part or any(_SECRET_NAME.search(name) for name in names)


def _path_values(url: str) -> list[str]:
    """Return the secret parts of a path, and the secret values inside them."""
    _, separator, rest = url.partition("://")
    path = re.split("[?#]", rest.rpartition("@")[2])[0]
    found = []
    for part in path.split("/")[1:] if separator else []:
        if _is_secret_part(part):
            found += [part, *part.split(":")[1:]]
            for pieces in (re.split("[&;,]", part), re.split("[&;,_]", part)):
                pairs = [piece.partition("=") for piece in pieces]
                found += [value for name, _, value in pairs if value and _SECRET_NAME.search(name)]
    return found
