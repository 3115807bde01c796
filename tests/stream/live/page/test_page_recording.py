"""Recordings and audio of the page in Chromium."""

import av
import numpy as np
import pytest

from tests.stream.live.page.browsing import frames_in, start, stop, wait_for_frames, wait_for_reconnection

pytestmark = pytest.mark.timeout(240)


def test_the_browser_records_the_recoloured_video(live, tmp_path):
    live.click("#record")
    wait_for_frames(live, 60)
    with live.expect_download() as download:
        live.click("#record")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert frames_in(path) > 5
    with av.open(str(path)) as film:
        assert film.duration > 0, "MediaRecorder writes none"
    assert f"Saved {path.name}" in live.inner_text("#notice")


def test_audio_comes_back_where_it_is_wanted(live, tmp_path):
    live.check("#audio")
    wait_for_reconnection(live)
    assert live.evaluate("document.getElementById('recolored').muted")
    live.check("#play-audio")
    assert not live.evaluate("document.getElementById('recolored').muted")
    live.click("#record")
    wait_for_frames(live, 90)
    with live.expect_download() as download:
        live.click("#record")
    download.value.save_as(tmp_path / "film.webm")
    with av.open(str(tmp_path / "film.webm")) as film:
        loudest = max(np.abs(frame.to_ndarray()).max() for frame in film.decode(audio=0))
    assert loudest > 0.01, "the beep of Chromium's own microphone"


def test_the_server_records_where_it_is_asked_to(live, recordings):
    live.check("#record-on-server")
    wait_for_reconnection(live)
    wait_for_frames(live, 60)
    stop(live)
    (path,) = recordings.iterdir()
    assert frames_in(path) > 5


def test_a_recording_is_saved_where_the_camera_is_disconnected(live, tmp_path):
    live.click("#record")
    wait_for_frames(live, 40)
    with live.expect_download() as download:
        live.evaluate(
            "document.getElementById('original').srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
        )
    assert live.get_attribute("body", "data-state") == "failed"
    assert "The camera was disconnected" in live.inner_text("#message")
    download.value.save_as(tmp_path / "film.webm")
    assert frames_in(tmp_path / "film.webm") > 5
    start(live)
