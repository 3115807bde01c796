"""Reading requests, and answering what goes wrong with one line of JSON."""

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from emocolor.errors import EmocolorError

from ..webrtc.offers import OfferError
from ..webrtc.publications import Full, Sessions
from .access import Refusal

LARGEST: Final = 65_536
"""Bytes of a request's body."""
BODY_S: Final = 10.0
"""How long a body may take to come."""
RETRY_S: Final = 5
"""When to ask again where the server is full."""
_LINES: Final = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: f"The request is longer than {LARGEST} bytes.",
}

log = logging.getLogger(__name__)


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What is raised while a request is served becomes ``{"error": LINE}`` with a fitting status."""
    try:
        return await handler(request)
    except Refusal as error:
        return error_response(error.status, str(error), error.headers)
    except OfferError as error:
        return error_response(error.status, str(error))
    except Full as error:
        return error_response(503, str(error), {"Retry-After": str(RETRY_S)})
    except EmocolorError as error:
        log.error("%s", error)
        return error_response(500, str(error))
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return error_response(error.status, _LINES.get(error.status, error.reason), allow)
    except Exception:  # a defect of ours ends this request, never the server
        log.exception("a request failed")
        return error_response(500, "An internal error; the server's log has more.")


def error_response(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """``{"error": text}`` as JSON."""
    return web.json_response({"error": text}, status=status, headers=headers)


def check_recording(sessions: Sessions, wanted: bool) -> None:
    """Raises ``Refusal`` where a recording is wanted and none may be made."""
    if wanted and sessions.make_recording is None:
        raise Refusal(403, "This server does not record. Start it with --record FOLDER to allow it.")


async def read_text(request: web.Request, media_type: str) -> str:
    """The body as text. Raises ``Refusal`` where it is of another type, no UTF-8, or does not come."""
    if request.content_type != media_type:
        raise Refusal(415, f"The body must be {media_type}.")
    try:
        return (await asyncio.wait_for(request.read(), BODY_S)).decode()
    except TimeoutError:
        raise Refusal(408, f"The body did not come within {BODY_S:.0f} s.") from None
    except UnicodeDecodeError:
        raise Refusal(400, "The body is not UTF-8.") from None


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object. Raises ``Refusal``."""
    text = await read_text(request, "application/json")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Refusal(400, "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Refusal(400, "The body is not a JSON object.")
    return found
