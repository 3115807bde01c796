"""The card of a style net in words: what is measured is told, what is not is left out."""

from emocolor.emotions import EMOTIONS
from training.style.card import card_text

BY_STYLE = {emotion: 0.1 * (place + 1) for place, emotion in enumerate(EMOTIONS)}
LOSSES = {"content_loss": 0.4, "style_loss": BY_STYLE, "content_by_style": dict.fromkeys(EMOTIONS, 0.25)}
MACHINE = {"commit": "abc", "torch": "2", "device": "a processor"}


def card(**changes):
    """As ``training.style.export`` writes it."""
    styles = {e: {"title": f"On {e}", "artist": "N. N.", "file": "f", "weight": 1.0, "why": "Why."} for e in EMOTIONS}
    styles["neutral"]["weight"] = 0.3
    settings = {"epochs": 12, "styles": styles, "start": "", "style_weight": 6.0}
    metrics = {
        "n": 20,
        "size": 256,
        **LOSSES,
        "anchors": {
            "content": LOSSES | {"style_loss": dict.fromkeys(EMOTIONS, 3.5)},
            "gatys": {"steps": 300, "photos": 1, **LOSSES, "net": LOSSES},
        },
        "warp_error": {"painted": 4.321, "truth": 2.1, "by_style": BY_STYLE},
        "clips": {"n_clips": 9, "n_frames": 1234, "seconds": 2.0, "height": 256, "left_out": {}},
        "ms_per_frame": {"320x180": 7.4, "640x360": 30.1, "1280x720": 130.0},
        "backend": "a runtime",
        "threads": 1,
        "machine": MACHINE,
    }
    return {
        "weights": "mine.onnx",
        "sha256": "0123",
        "definition": "fast",
        "multiple": 4,
        "styles": styles,
        "parameters": {"trainable": 81_293, "running": 0},
        "bytes": 262_364,
        "training": {"settings": settings, "machine": MACHINE, "images": {"train": 5420}, "data": {"train": "4567"}},
        "started_from": [],
        "parity": {"samples": 1.234},
        "metrics": metrics | changes,
    }


def test_the_card_tells_what_was_measured():
    words = card_text("mine", card())
    assert "| sad | On sad | N. N. | Why. |" in words
    assert "Why. Weight of its style loss: 0.3. |" in words
    assert "| angry | 0.250 | 0.100 | 3.500 | 0.250 | 0.100 | 0.250 | 0.100 |" in words
    assert "| mean | 0.250 | 0.400 | 3.500 | 0.250 | 0.400 | 0.250 | 0.400 |" in words
    assert "300 steps of L-BFGS on the pixels (Gatys et al. 2016), on one photo" in words
    assert "4.32 stylized (angry 0.10," in words
    assert "1 thread: 7 at 320x180, 30 at 640x360, 130 at 1280x720." in words
    assert "at most 1.23 of 255" in words
    assert "epochs 12, style_weight 6.0." in words, "paintings stand in their table"


def test_all_runs_that_led_to_a_net_are_told_oldest_first():
    told = card()
    runs = [told["training"] | {"settings": {"epochs": epochs}} for epochs in (3, 4)]
    words = card_text("mine", told | {"started_from": runs})
    places = [words.index(part) for part in ("epochs 3", "epochs 4", "epochs 12")]
    assert places == sorted(places)
    assert words.count("Then, starting from these weights:") == 2


def test_averaged_runs_are_told_with_their_parts():
    told = card()
    runs = [
        told["training"] | {"settings": {"epochs": epochs}, "part": part} for epochs, part in ((3, 0.25), (4, 0.75))
    ]
    words = card_text("mine", told | {"training": told["training"] | {"soup": runs}})
    assert "the average of 2 runs' weights, 0.25 and 0.75 (`python -m training.style.soup`)" in words
    assert words.index("epochs 3") < words.index("epochs 4")
    assert "epochs 12" not in words


def test_the_clips_of_the_temporal_loss_are_named():
    plain = card()
    assert "Pairs of neighbouring frames" not in card_text("mine", plain)
    data = plain["training"]["data"] | {"clips": {"b.mp4": "0", "a.mkv": "1"}}
    words = card_text("mine", plain | {"training": plain["training"] | {"data": data}})
    assert "frames come from 2 clips" in words
    assert "a.mkv, b.mp4." in words


def test_what_was_not_measured_is_left_out():
    anchors = {"content": card()["metrics"]["anchors"]["content"], "gatys": None}
    words = card_text("mine", card(anchors=anchors, warp_error=None, clips=None))
    assert "L-BFGS" not in words
    assert "warp error" not in words
    assert "| angry | 0.250 | 0.100 | 3.500 |\n" in words
