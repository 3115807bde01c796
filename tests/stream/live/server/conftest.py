"""What tests of the HTTP server share."""

import asyncio

import pytest

from tests.stream.live.webrtc_clients import running


@pytest.fixture
def ask(running_classifier):
    """Sends requests to a server of its own: ``ask(work, access=...)`` with ``async def work(server)``."""

    def run(work, **options):
        async def go():
            async with running(running_classifier, **options) as server:
                return await asyncio.wait_for(work(server), 60)

        return asyncio.run(go())

    return run
