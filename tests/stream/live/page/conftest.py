"""What tests of the page share: a Chromium whose camera shows a smiling face, and servers."""

import pytest

from tests.stream.live.chromium import chromium, write_smiling_camera
from tests.stream.live.page.browsing import S0_TINT, pages_of, start
from tests.stream.live.page_server import serving


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    camera = tmp_path_factory.mktemp("camera") / "smiling.y4m"
    write_smiling_camera(camera)
    with chromium(camera) as browser:
        yield browser


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def server(browser, recordings, tmp_path_factory):
    """Asked for after the browser, which may not be there."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(log, "--record", str(recordings), *S0_TINT) as server:
        yield server


@pytest.fixture(scope="module")
def server_for_one(browser, tmp_path_factory):
    """A server with room for one session."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(log, "--max-sessions", "1", *S0_TINT) as server:
        yield server


@pytest.fixture
def opened(browser, server):
    """Opens pages that are ready to start."""
    with pages_of(browser, server.address) as pages:

        def open_page(**settings):
            page = pages(**settings)
            page.wait_for_selector("#begin:not([hidden])")
            return page

        yield open_page


@pytest.fixture
def live(opened):
    """A page with a session that runs."""
    return start(opened())
