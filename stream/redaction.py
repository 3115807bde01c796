"""URLs in messages and logs, without what lets anyone in."""

import re
from typing import Final

RTMP: Final = ("rtmp", "rtmps", "rtmpt", "rtmpte", "rtmpts", "rtmpe")
# The punctuation of a sentence that follows is no part of it.
_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]+)://(?P<rest>[^\s'\"<>]+?)(?=[.,:;!?)]{0,3}(?:[\s'\"<>]|$))")


def redacted(text: str) -> str:
    """The text with its URLs cut down to what is no secret: without passwords, values of queries, and stream keys.

    A password is ``***``, and so is a user without one, which may be a token. Of RTMP's path the first part stays.
    """
    return _URL.sub(lambda url: f"{url['scheme']}://{_redacted_rest(url['scheme'], url['rest'])}", text)


def _redacted_rest(scheme: str, rest: str) -> str:
    """What follows the two slashes."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in rest[len(authority) :] and re.search(r"[^[:]:(?!\d*$)[^:]", authority):
        end = rest.rindex("@")  # a password with a slash, which FFmpeg would not understand
        authority = rest[:end] + re.split(r"[/?#]", rest[end:], maxsplit=1)[0]
    login, at, host = authority.rpartition("@")
    user, colon, _ = login.partition(":")
    shown = (f"{user}:***@" if colon else "***@") if at else ""
    path, mark, query = _split_query(rest[len(authority) :])
    if scheme.lower() in RTMP and (application := re.match(r"/[^/]+/(?=.)", path)):
        return f"{shown}{host}{application[0]}***"
    return f"{shown}{host}{path}{mark}{_without_values(query)}"


def _split_query(path: str) -> tuple[str, str, str]:
    found = re.search(r"[?#]", path)
    return (path, "", "") if found is None else (path[: found.start()], found[0], path[found.end() :])


def _without_values(query: str) -> str:
    """A query or a fragment with its names alone."""
    return re.sub(r"=[^&;#]*", "=***", query) if "=" in query else "***" * bool(query)
