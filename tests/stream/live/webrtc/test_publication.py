"""Live sessions from end to end over loopback: real connections, real nets, aiortc on the other side."""

import asyncio
import gc
import json
import threading
import time
import weakref
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from emocolor.errors import EngineError
from stream.live.controls import Controls
from stream.live.session import LiveSession
from stream.live.shared_nets import SharedNets
from stream.live.webrtc import peer, publication
from tests.stream.live.webrtc_clients import Camera, Client, page_client, running, until, whep_client

pytestmark = pytest.mark.timeout(120)


def run(work):
    return asyncio.run(asyncio.wait_for(work, 100))


def plain(luma, size_wh=(320, 180)):
    """Planes of a gray picture, (H * 3 / 2, W) uint8."""
    width, height = size_wh
    made = np.full((height * 3 // 2, width), 128, np.uint8)
    made[:height] = luma
    return made


def luma_of(received):
    """Mean luma of the latest picture."""
    planes = received.pictures[-1][1]
    return float(planes[: planes.shape[0] * 2 // 3].mean())


class Beeps(MediaStreamTrack):
    """Sound that is silent but for every ``period``-th 20 ms."""

    kind = "audio"

    def __init__(self, period=50):
        super().__init__()
        self.period, self.index, self.begun = period, 0, None

    async def recv(self):
        self.begun = self.begun or time.monotonic()
        await asyncio.sleep(self.begun + self.index * 0.02 - time.monotonic())
        level = 12_000 if self.index % self.period == 0 else 0
        wave = (level * np.sin(np.arange(960) * 2 * np.pi * 1000 / 48_000)).astype(np.int16)
        made = av.AudioFrame.from_ndarray(np.repeat(wave, 2).reshape(1, -1), format="s16", layout="stereo")
        made.sample_rate, made.pts, made.time_base = 48_000, self.index * 960, Fraction(1, 48_000)
        self.index += 1
        return made


def test_the_picture_comes_back_coloured_and_follows_the_controls(running_classifier):
    async def go():
        async with (
            running(running_classifier, controls=Controls(alpha=0.0)) as server,
            page_client(server, Camera([plain(100)])) as client,
        ):
            first = await client.wait_message(lambda m: m["type"] == "controls")
            assert first["values"] == Controls(alpha=0.0).as_message()
            await client.video.wait(lambda r: r.count > 10)
            assert luma_of(client.video) == pytest.approx(100, abs=3)
            client.channel.send(json.dumps({"type": "controls", "values": {"alpha": 1.0}}))
            neutral = 16 + 219 * 200 / 255
            await client.video.wait(lambda r: r.count and abs(luma_of(r) - neutral) < 3)
            client.channel.send(json.dumps({"type": "controls", "values": {"alpha": 2}}))
            error = await client.wait_message(lambda m: m["type"] == "error")
            assert "alpha must lie between 0 and 1" in error["message"]
            count = client.video.count
            await client.video.wait(lambda r: r.count > count + 5)
            state = await client.wait_message(lambda m: m["type"] == "state" and m["fps_out"] > 0)
            assert state["size"] == [320, 180]
            assert state["levels"] > 1

    run(go())


def test_latency_is_measured_up_to_the_encoder_and_drops_are_counted(running_classifier):
    async def go():
        async with running(running_classifier) as server, page_client(server, Camera([plain(100)])) as client:
            await client.video.wait(lambda r: r.count > 40)
            (session,) = server.sessions.publications.values()
            figures = session.snapshot()
            assert 0 < figures.latency_ms["p50"] <= figures.latency_ms["p95"] <= figures.latency_ms["p99"]
            assert 0 < figures.delay_ms < 1000
            assert sum(figures.latency_buckets) == figures.frames_out
            lost = sum(figures.drops.values())
            assert figures.frames_in - 3 <= figures.frames_out + lost <= figures.frames_in
            await client.wait_message(lambda m: m["type"] == "state" and m["delay_ms"])
            assert 0 < session._picture_delay_s < 1, "sound waits for the picture"
        totals = server.sessions.totals()
        assert totals.frames_in >= figures.frames_in, "what is over still counts"
        assert totals.sessions == 1

    run(go())


def test_metrics_say_what_the_sessions_do(running_classifier):
    """Of a session that runs and of one that is over, which must not take its counts with it."""

    async def go():
        async with running(running_classifier) as server:
            async with page_client(server, Camera([plain(100)])) as client:
                await client.video.wait(lambda r: r.count > 20)
            await until(lambda: not server.sessions.publications)
            over = server.sessions.totals()
            async with page_client(server, Camera([plain(100)])) as client:
                await client.video.wait(lambda r: r.count > 20)
                _, _, text = await server.call("GET", "/metrics")
        return over, {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text.decode())
            for sample in family.samples
        }

    over, found = run(go())
    out = found["emocolor_frames_total", "out"]
    assert out >= over.frames_out + 20
    assert found["emocolor_frames_total", "in"] >= out
    assert (found["emocolor_sessions_begun_total",], found["emocolor_sessions",]) == (2, 1)
    buckets = [value for key, value in found.items() if key[0] == "emocolor_latency_seconds_bucket"]
    assert buckets == sorted(buckets), "cumulative"
    assert buckets[-1] == found["emocolor_latency_seconds_count",] == out
    assert 0 < found["emocolor_latency_seconds_sum",] / out < 5
    assert found["emocolor_fps", "out"] > 0
    assert sum(value for key, value in found.items() if key[0] == "emocolor_quality_level_sessions") == 1
    assert found["emocolor_stage_seconds", "paint"] > 0


def test_the_size_may_change_under_way(running_classifier):
    sizes = [(320, 180), (160, 90), (176, 98)]

    def pictures(index):
        return plain(100, sizes[min(index // 20, 2)])

    async def go():
        async with running(running_classifier) as server, page_client(server, Camera(pictures)) as client:
            await client.video.wait(lambda r: r.count and r.pictures[-1][1].shape == (98 * 3 // 2, 176))
            shapes = {planes.shape for _, planes in client.video.pictures}
            assert shapes == {(h * 3 // 2, w) for w, h in sizes}

    run(go())


def test_pictures_that_are_too_large_end_their_session_with_a_reason(running_classifier):
    async def go():
        async with (
            running(running_classifier, most_pixels=160 * 90) as server,
            page_client(server, Camera([plain(100)])) as client,
        ):
            bye = await client.wait_message(lambda m: m["type"] == "bye")
            assert bye["reason"] == "the picture has 320x180 pixels, and this server takes up to 14400"

    run(go())


def test_a_full_server_says_so_and_room_comes_back(running_classifier):
    async def go():
        async with running(running_classifier, most=1) as server:
            async with page_client(server, Camera([plain(100)])) as first:
                await first.wait_message(lambda m: m["type"] == "controls")
                with pytest.raises(AssertionError, match="The server is full: 1 of 1 sessions are in use"):
                    async with page_client(server, Camera([plain(100)])):
                        pass
                status, _, _ = await server.call("DELETE", f"/api/sessions/{first.session}")
                assert status == 204
                bye = await first.wait_message(lambda m: m["type"] == "bye")
                assert bye["reason"] == "the page ended it"
            async with page_client(server, Camera([plain(100)])) as second:
                await second.video.wait(lambda r: r.count > 0)

    run(go())


def test_several_sessions_share_the_nets_and_run_at_once(running_classifier):
    async def go():
        async with (
            running(running_classifier, controls=Controls(alpha=0.0)) as server,
            page_client(server, Camera([plain(60)])) as one,
            page_client(server, Camera([plain(180)])) as two,
        ):
            await one.video.wait(lambda r: r.count > 10)
            await two.video.wait(lambda r: r.count > 10)
            assert luma_of(one.video) == pytest.approx(60, abs=4)
            assert luma_of(two.video) == pytest.approx(180, abs=4)
            assert one.session != two.session

    run(go())


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("half-open", "the connection was not made in time"),
        ("silent", "nothing comes from the client any more"),
        ("idle", "no picture came for 1.875 s"),
    ],
)
def test_clients_that_are_gone_are_cleaned_up(running_classifier, monkeypatch, what, reason):
    """The server's own times add up to less than ten seconds; here they are a quarter of that."""
    longest = max(peer.CONNECT_S, peer.SILENCE_S, publication.IDLE_S) + peer.TICK_S + publication.FAREWELL_S
    assert longest < 9.5
    for module, name in [(peer, "CONNECT_S"), (peer, "SILENCE_S"), (peer, "TICK_S"), (publication, "IDLE_S")]:
        monkeypatch.setattr(module, name, getattr(module, name) / 4)

    async def go():
        async with running(running_classifier) as server:
            camera = Camera([plain(100)])
            if what == "half-open":
                body = {"type": "offer", "sdp": await unconnected_offer(camera)}
                assert (await server.call("POST", "/api/offer", json=body))[0] == 200
                (session,) = server.sessions.publications.values()
                await until(lambda: not server.sessions.publications)
                return session.publisher.ended.result()
            async with page_client(server, camera) as client:
                await client.video.wait(lambda r: r.count > 3)
                (session,) = server.sessions.publications.values()
                if what == "idle":
                    camera.fps = 1e-6
                    bye = await client.wait_message(lambda m: m["type"] == "bye")
                    assert bye["reason"] == reason
                else:
                    monkeypatch.setattr(publication, "IDLE_S", 60)
                    silence(client)
                await until(lambda: not server.sessions.publications)
                return session.publisher.ended.result()

    assert run(go()) == reason


async def unconnected_offer(track):
    client = Client()
    client.connection.addTrack(track)
    client.open_channel()
    sdp = await client.offer()
    await client.close()
    return sdp


def silence(client):
    """As when a cable is pulled: nothing leaves the client any more, and nobody is told."""

    async def nowhere(data):
        pass

    for sender in client.connection.getSenders():
        transport = sender.transport.transport
        transport._send = nowhere
        for protocol in transport._connection._protocols:
            protocol.transport.sendto = lambda data, addr=None: None


def test_a_viewer_that_does_not_read_slows_nobody(running_classifier):
    """Its encoder is stuck: pictures for it are dropped, those for the others are not."""

    async def go():
        async with (
            running(running_classifier) as server,
            page_client(server, Camera([plain(100)])) as client,
            whep_client(server, client.session) as good,
            whep_client(server, client.session) as slow,
        ):
            await good.video.wait(lambda r: r.count > 5)
            await slow.video.wait(lambda r: r.count > 5)
            (session,) = server.sessions.publications.values()
            stuck = [v for name, v in session.viewers.items() if slow.location.endswith(name)]
            release = asyncio.Event()
            plain_recv = stuck[0].video.recv

            async def stuck_recv():
                await release.wait()
                return await plain_recv()

            stuck[0].video.recv = stuck_recv
            count = good.video.count
            await good.video.wait(lambda r: r.count > count + 40)
            figures = stuck[0].video.statistics.snapshot(time.monotonic())
            assert figures.drops["encoder busy"] > 10
            release.set()
            count = slow.video.count
            await slow.video.wait(lambda r: r.count > count + 5)

    run(go())


def test_sound_comes_back_beside_the_picture(running_classifier):
    """A flash and a beep that leave together come back together."""

    def flashes(index):
        return plain(230 if index % 30 == 0 else 40)

    async def go():
        async with (
            running(running_classifier, controls=Controls(effect="none")) as server,
            page_client(server, Camera(flashes), Beeps()) as client,
        ):
            await client.video.wait(lambda r: r.count > 120)
            seen = [at for at, planes in client.video.pictures if planes[:100].mean() > 150]
            heard = [at for at, samples in client.audio.pictures if np.abs(samples.astype(int)).max() > 3000]
            return seen, heard

    seen, heard = run(go())
    assert len(seen) >= 2
    gaps = [min((beep - flash for beep in heard), key=abs) for flash in seen[1:-1] or seen]
    # The client's own receiver holds sound back as much longer than pictures as the server's does: 47 ms.
    assert abs(float(np.median(gaps)) - 0.047) < 0.15


def test_the_server_stops_gracefully(running_classifier):
    async def go():
        async with (
            running(running_classifier) as server,
            page_client(server, Camera([plain(100)])) as client,
            whep_client(server, client.session) as viewer,
        ):
            await viewer.video.wait(lambda r: r.count > 3)
            began = time.monotonic()
            await server.sessions.stop()
            assert time.monotonic() - began < 6
            bye = await client.wait_message(lambda m: m["type"] == "bye")
            assert bye["reason"] == "the server is stopping"
            status, _, _ = await server.call("POST", "/api/offer", json={"type": "offer", "sdp": "x"})
            assert status == 400
            with pytest.raises(AssertionError, match="stopping"):
                async with page_client(server, Camera([plain(100)])):
                    pass

    run(go())


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(st.text(max_size=200) | st.binary(max_size=200), min_size=1, max_size=15))
def test_no_message_ends_a_session(running_classifier, messages):
    async def go():
        async with running(running_classifier) as server, page_client(server, Camera([plain(100)])) as client:
            await client.wait_message(lambda m: m["type"] == "controls")
            for message in messages:
                client.channel.send(message)
            client.channel.send("x" * 100_000)
            client.channel.send(json.dumps({"type": "controls", "values": {"alpha": 0.125}}))
            await client.wait_message(lambda m: m["type"] == "controls" and m["values"]["alpha"] == 0.125)
            assert not any("Traceback" in json.dumps(m) for m in client.messages)

    run(go())


def test_a_flood_of_messages_ends_its_session_only(running_classifier, monkeypatch):
    monkeypatch.setattr(publication, "MOST_IGNORED", 20)
    monkeypatch.setattr(publication, "MESSAGES_PER_S", 10)

    async def go():
        async with (
            running(running_classifier) as server,
            page_client(server, Camera([plain(100)])) as foe,
            page_client(server, Camera([plain(100)])) as friend,
        ):
            await foe.wait_message(lambda m: m["type"] == "controls")
            for _ in range(60):
                foe.channel.send("{}")
            bye = await foe.wait_message(lambda m: m["type"] == "bye")
            assert bye["reason"] == "too many messages"
            count = friend.video.count
            await friend.video.wait(lambda r: r.count > count + 5)

    run(go())


def test_controls_that_cannot_be_used_are_taken_back_and_the_picture_goes_on(running_classifier, monkeypatch):
    def fail(*_):
        raise EngineError("The style net is not there.")

    monkeypatch.setattr(SharedNets, "stylist", fail)

    async def go():
        async with running(running_classifier) as server, page_client(server, Camera([plain(100)])) as client:
            await client.wait_message(lambda m: m["type"] == "controls")
            client.channel.send(json.dumps({"type": "controls", "values": {"effect": "style"}}))
            error = await client.wait_message(lambda m: m["type"] == "error")
            assert error["message"] == "The style net is not there."
            await client.wait_message(lambda m: m is client.messages[-1] and m["type"] == "state")
            effects = [m["values"]["effect"] for m in client.messages if m["type"] == "controls"]
            assert effects == ["tint", "style", "tint"]
            count = client.video.count
            await client.video.wait(lambda r: r.count > count + 5)

    run(go())


def test_nets_that_take_long_to_load_are_waited_for(running_classifier, monkeypatch):
    """Only the client's part of making the connection has a limit."""
    plain_start = LiveSession.start

    def slow_start(self):
        time.sleep(1.0)
        plain_start(self)

    monkeypatch.setattr(LiveSession, "start", slow_start)
    monkeypatch.setattr(peer, "CONNECT_S", 0.6)
    monkeypatch.setattr(peer, "TICK_S", 0.1)

    async def go():
        async with running(running_classifier) as server, page_client(server, Camera([plain(100)])) as client:
            await client.video.wait(lambda r: r.count > 3)

    run(go())


def test_only_the_control_channel_is_listened_to(running_classifier):
    async def go():
        async with running(running_classifier) as server:
            camera = Camera([plain(100)])
            async with page_client(server, camera) as client:
                await client.wait_message(lambda m: m["type"] == "controls")
                other = client.connection.createDataChannel("other")
                second = client.connection.createDataChannel("control")
                await until(lambda: other.readyState == second.readyState == "closed")
                assert client.channel.readyState == "open"

    run(go())


class Vandal:
    """A recording that spoils what it gets."""

    def __init__(self):
        self.count = 0

    def put(self, picture, received_at):
        np.frombuffer(memoryview(picture.planes[0]), np.uint8)[:] = 0
        picture.pts += 90_000 * self.count
        self.count += 1

    def put_audio(self, sound, received_at):
        pass

    def close(self):
        pass


def test_each_receiver_of_pictures_has_its_own(running_classifier):
    """Encoders mark and retime the pictures that they are given."""
    vandal = Vandal()

    async def go():
        options = {"controls": Controls(alpha=0.0), "make_recording": lambda session, sound: vandal}
        async with (
            running(running_classifier, **options) as server,
            page_client(server, Camera([plain(100)]), record=True) as client,
            whep_client(server, client.session) as viewer,
        ):
            await viewer.video.wait(lambda r: r.count > 15)
            assert vandal.count > 10
            for received in (client.video, viewer.video):
                assert luma_of(received) == pytest.approx(100, abs=4)

    run(go())


def test_sessions_leave_nothing_behind(running_classifier):
    """No thread, no task, no object of theirs: what stays would add up over days."""

    async def go():
        async with running(running_classifier) as server:
            gone = []
            for _ in range(2):
                async with page_client(server, Camera([plain(100)]), Beeps()) as client:
                    await client.video.wait(lambda r: r.count > 3)
                    (session,) = server.sessions.publications.values()
                    gone.append(weakref.ref(session.session))
                    name = session.short_id
                    del session
                await until(lambda name=name: not any(name in thread.name for thread in threading.enumerate()))
            del client
            await until(lambda: len(asyncio.all_tasks()) <= 6)
            gc.collect()
            assert [reference() for reference in gone] == [None, None]

    run(go())
