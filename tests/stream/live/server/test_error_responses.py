"""The HTTP status and the line of each error."""

import asyncio
import json
import logging

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from emocolor.errors import CapacityError, EngineError, NotFoundError, OfferError, RequestError
from stream.live.server.error_responses import HttpError, respond_to_errors


def response_to(error):
    async def handler(request):
        raise error

    return asyncio.run(respond_to_errors(make_mocked_request("GET", "/"), handler))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HttpError(412, "Line."), 412),
        (OfferError("malformed", "Line."), 400),
        (OfferError("too large", "Line."), 413),
        (OfferError("unsupported", "Line."), 422),
        (NotFoundError("Line."), 404),
        (CapacityError("Line."), 503),
        (RequestError("Line."), 400),
        (EngineError("Line."), 500),
    ],
)
def test_each_error_has_its_status_and_tells_its_line(error, status):
    response = response_to(error)
    assert (response.status, json.loads(response.body)) == (status, {"error": "Line."})
    assert response.content_type == "application/json"


def test_errors_bring_their_headers():
    assert response_to(HttpError(401, "No.", {"WWW-Authenticate": "Bearer"})).headers["WWW-Authenticate"] == "Bearer"
    assert int(response_to(CapacityError("Full.")).headers["Retry-After"]) > 0
    assert response_to(web.HTTPMethodNotAllowed("PUT", ["GET"])).headers["Allow"] == "GET"


def test_http_errors_of_aiohttp_repeat_nothing_of_the_request():
    response = response_to(web.HTTPNotFound(reason="zq1zq"))
    assert json.loads(response.body) == {"error": "There is nothing at this address."}


def test_a_bug_is_logged_and_not_told(caplog):
    with caplog.at_level(logging.ERROR):
        response = response_to(ZeroDivisionError("secret"))
    assert response.status == 500
    assert "secret" not in response.text
    assert "ZeroDivisionError" in caplog.text
