"""Metrics as Prometheus reads them."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.live.quality import LEVELS
from tests.stream.live.webrtc_clients import Camera, gray_planes, page_client

pytestmark = pytest.mark.timeout(120)


async def scrape(server):
    status, head, body = await server.call("GET", "/metrics")
    assert (status, head["Content-Type"].split(";")[0]) == (200, "text/plain")
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def values_of(families):
    """Name and labels of each sample to its value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families.values()
        for sample in family.samples
    }


def test_names_and_types_follow_the_conventions_of_prometheus(ask):
    families = ask(scrape, max_publications=3)
    assert families["emocolor_sessions_limit"].samples[0].value == 3
    assert families["emocolor_latency_seconds"].type == "histogram"
    assert families["process_resident_memory_bytes"].samples[0].value > 1e7
    for name, family in families.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name)
        assert "_ms" not in name, "base units"
        assert family.documentation.endswith(".")
        if family.type == "counter":
            assert {sample.name for sample in family.samples} <= {f"{name}_total"}


def test_metrics_count_what_the_sessions_do(ask):
    """Those of a session that runs, and of one that has ended, which must not take its counts along."""

    async def work(server):
        async with page_client(server, Camera([gray_planes(100)])) as client:
            await client.video.wait_for_more(20)
            publication = server.publication
        await publication.closed.wait()
        ended = server.publications.totals()
        async with page_client(server, Camera([gray_planes(100)])) as client:
            await client.video.wait_for_more(20)
            return ended, values_of(await scrape(server))

    ended, found = ask(work)
    out = found["emocolor_frames_total", "out"]
    assert out >= ended.frames_out + 20
    assert found["emocolor_frames_total", "in"] >= out
    assert (found["emocolor_sessions_started_total",], found["emocolor_sessions",]) == (2, 1)
    buckets = [value for key, value in found.items() if key[0] == "emocolor_latency_seconds_bucket"]
    assert buckets == sorted(buckets), "cumulative"
    assert buckets[-1] == found["emocolor_latency_seconds_count",] == out
    assert 0 < found["emocolor_latency_seconds_sum",] / out < 5
    assert found["emocolor_frames_per_second", "out"] > 0
    levels = [value for key, value in found.items() if key[0] == "emocolor_quality_level_sessions"]
    assert (len(levels), sum(levels)) == (len(LEVELS), 1)
    assert found["emocolor_stage_seconds", "render"] > 0
