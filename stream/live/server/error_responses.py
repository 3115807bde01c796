"""Errors as HTTP responses: ``{"error": LINE}`` with the fitting status. Only here do errors get one."""

import logging
import traceback
from collections.abc import Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from emocolor.errors import (
    CapacityError,
    ConflictError,
    EmocolorError,
    NotFoundError,
    OfferError,
    OfferProblem,
    RequestError,
)

MAX_BODY_BYTES: Final = 65_536
"""Of a request."""
RETRY_AFTER_S: Final = 5
"""When to ask again where the server is full."""
_OFFER_STATUSES: Final[dict[OfferProblem, int]] = {"malformed": 400, "too large": 413, "unsupported": 422}
_TEXTS: Final = {
    404: "There is nothing at this address.",
    405: "This address does not support that method.",
    413: f"The request is longer than {MAX_BODY_BYTES} bytes.",
}
"""In place of aiohttp's, which repeat parts of the request."""

log = logging.getLogger(__name__)


class HttpError(RequestError):
    """A request that is not served, for a reason that HTTP has a status for."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}


@web.middleware
async def respond_to_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what is raised while a request is served into a response."""
    try:
        return await handler(request)
    except RequestError as error:
        return _refusal(error)
    except EmocolorError as error:
        log.error("%s", error)
        return error_response(500, str(error))
    except web.HTTPException as error:
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return error_response(error.status, _TEXTS.get(error.status, error.reason), allow)
    except Exception as error:  # a bug of ours ends this request, never the server
        # Without the error's own text, which may hold parts of the request, such as a token.
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("a request failed: %s\n%s", type(error).__name__, trace.rstrip())
        return error_response(500, "An internal error; the server's log has more.")


def error_response(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """``{"error": text}`` as JSON."""
    return web.json_response({"error": text}, status=status, headers=headers)


def _refusal(error: RequestError) -> web.Response:
    match error:
        case HttpError():
            return error_response(error.status, str(error), error.headers)
        case OfferError():
            return error_response(_OFFER_STATUSES[error.problem], str(error))
        case NotFoundError():
            return error_response(404, str(error))
        case ConflictError():
            return error_response(409, str(error))
        case CapacityError():
            return error_response(503, str(error), {"Retry-After": str(RETRY_AFTER_S)})
        case _:
            return error_response(400, str(error))
