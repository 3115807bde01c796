"""Draws ``docs/presets.jpg``, the demo clip under each preset: ``python -m docs.presets_sheet``."""

import tempfile
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from emocolor.arrays import RgbImage
from stream import Job
from stream.demo.clip import make_demo_clip
from stream.media.frames import to_rgb
from stream.presets import preset_names, read_preset
from stream.settings import job_settings

SHEET: Final = Path(__file__).parent / "presets.jpg"
TIMES: Final = (2.8, 4.6, 6.4, 8.2)
"""Seconds into the clip: happy, sad, no face, surprise."""
FRAME_WH: Final = (272, 153)
LABEL_WIDTH: Final = 110
FOR_GRAY_FILM: Final = ("archive", "newsreel")
"""Presets that leave footage alone that is in colour already; they get the clip in gray."""


def presets_sheet() -> RgbImage:
    """The sheet, (H, W, 3) uint8 RGB: a row for the clip as it is, and one for each preset."""
    with tempfile.TemporaryDirectory() as folder:
        clip, gray = Path(folder) / "clip.mp4", Path(folder) / "gray.mp4"
        make_demo_clip(clip)
        rendered(clip, {"effect": "colormap:#000-#fff"}, output=str(gray))
        rows = [_row("as it is", rendered(clip, {"effect": "none"}))]
        rows.append(_row("default", rendered(clip, {})))
        for name in sorted(preset_names(), key=lambda name: name in FOR_GRAY_FILM):
            rows.append(_row(name, rendered(gray if name in FOR_GRAY_FILM else clip, read_preset(name).values)))
    return np.concatenate(rows)


def rendered(clip: Path, values: dict[str, Any], output: str | None = None) -> list[RgbImage]:
    """The frames at ``TIMES``, (H, W, 3) uint8 RGB, of a job with these raw values."""
    found: list[RgbImage] = []
    with Job(job_settings(values, input=str(clip), output=output)) as job:
        for step in job:
            if step.frame is not None and len(found) < len(TIMES) and step.frame.time >= TIMES[len(found)]:
                found.append(to_rgb(step.frame))
    return found


def _row(label: str, frames: list[RgbImage]) -> RgbImage:
    cells = [cv2.resize(frame, FRAME_WH, interpolation=cv2.INTER_AREA) for frame in frames]
    text = np.full((FRAME_WH[1], LABEL_WIDTH, 3), 255, np.uint8)
    cv2.putText(text, label, (6, FRAME_WH[1] // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    return np.asarray(np.concatenate([text, *cells], axis=1), np.uint8)


if __name__ == "__main__":
    cv2.imwrite(str(SHEET), cv2.cvtColor(presets_sheet(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
