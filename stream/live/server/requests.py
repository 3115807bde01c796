"""Reading the bodies of requests, in bounded time."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

from .error_responses import HttpError

BODY_TIMEOUT_S: Final = 10.0
"""How long a body may take to arrive."""


async def read_text(request: web.Request, media_type: str, timeout_s: float = BODY_TIMEOUT_S) -> str:
    """The body as text. Raises ``HttpError`` where it has another type, is not UTF-8, or does not arrive."""
    if request.content_type != media_type:
        raise HttpError(415, f"The body must be {media_type}.")
    try:
        return (await asyncio.wait_for(request.read(), timeout_s)).decode()
    except TimeoutError:
        raise HttpError(408, f"The body did not arrive within {timeout_s:g} s.") from None
    except UnicodeDecodeError:
        raise HttpError(400, "The body is not UTF-8.") from None


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ``HttpError``."""
    text = await read_text(request, "application/json")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise HttpError(400, "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise HttpError(400, "The body is not a JSON object.")
    return body
