"""Measure nets that ship, or any weights, on labelled data. Prints one JSON object.

    python -m training.evaluate emotion --data faces.npz [--labels ferplus] [--mc 20] [--split public]
    python -m training.evaluate colorizer --images DIR_OR_TAR [--baseline gray] [--vgg DIR_OR_NPZ]
    python -m training.evaluate video --clips DIR_OR_FILE [--baseline turbo] [--seconds 10] [--rate 6]
    python -m training.evaluate style --content DIR_OR_TAR --styles DIR [--weights fast] [--vgg FILE] [--clips DIR]

``emotion`` takes any npz in the format of ``training.data.faces``: gray or RGB of any size; faces are turned to gray
and scaled to the net's input, and images labelled 7 (contempt) are left out. ``--labels ferplus`` scores by the
majority of the FER+ votes; ties, and images that the voters found unknown, faceless or contemptuous, are left out. Of
a net that was trained on both kinds of labels the output trained on them is measured. Metrics: accuracy, macro_f1,
weighted_f1, kappa, mcc, top2, per_class (recall of each emotion), confusion (true emotions as rows), ece, brier, nll,
n.

``colorizer`` takes colour photos: folders or tar files of webp, png or jpg. Each is scaled until its short side is
``--size``, its central square is turned gray (BT.601), colorized and compared. Metrics: psnr, ssim, ab_error, r2,
colorfulness, colorfulness_truth, auc, auc_rebalanced (defined in ``training.colorizer.metrics``), vgg_distance (null
without ``--vgg``), ms_per_image, n.

``video`` takes colour clips. The first ``--seconds`` of each are scaled down to ``--height``, turned gray, and
colorized twice by the effect ``colorize``: ``per_frame``, every frame by itself, and ``stabilized``. Metrics of both:
warp_error, cdc, psnr, colorfulness (defined in ``training.colorizer.video_metrics``); of the original clips, ``truth``,
all but psnr. They are means over all clips, and stand for each of ``clips`` too. Clips that are gray, short, or cannot
be decoded or followed are listed in ``left_out`` with the reason.

``style`` takes photos and the folder of the paintings that the net was trained on. Each photo is rendered in each
style. Metrics by style: content_loss and style_loss (defined in ``training.style.metrics``), with two anchors: the
photos themselves, and direct optimisation of the pixels (Gatys et al. 2016, ``--gatys-steps``). With ``--clips``,
warp_error is the temporal consistency of stylized and original clips, in R'G'B' of 255
(``training.style.evaluate.measure_clip``). ms_per_frame is the median time of a frame, by size. ``--weights`` also
takes a run's folder, whose net is not timed, as the program does not run it so.

Only ``--vgg`` and ``style`` need torch.
"""

import argparse
import json
from collections.abc import Sequence
from typing import Any

from emocolor.errors import EmocolorError

from .colorizer import evaluate as colorizer
from .colorizer import evaluate_video as video
from .colorizer.evaluate import ColorizerEvalConfig, evaluate_colorizer
from .colorizer.evaluate_video import VideoEvalConfig, evaluate_video
from .emotion import evaluate as emotion
from .emotion.evaluate import EmotionEvalConfig, evaluate_emotion
from .style import evaluate as style
from .style.evaluate import StyleEvalConfig, evaluate_style


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    emotion.add_options(kinds.add_parser("emotion", help="an emotion classifier on face images"))
    colorizer.add_options(kinds.add_parser("colorizer", help="a colorizer on photos turned gray"))
    video.add_options(kinds.add_parser("video", help="a colorizer on clips turned gray, per frame and stabilized"))
    style.add_options(kinds.add_parser("style", help="a style net on photos and clips"))
    given = vars(parser.parse_args(argv))
    try:
        found = _evaluate(given.pop("kind"), given)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(found))


def _evaluate(kind: str, given: dict[str, Any]) -> dict[str, object]:
    if kind == "emotion":
        return evaluate_emotion(EmotionEvalConfig(**given))
    if kind == "colorizer":
        return evaluate_colorizer(ColorizerEvalConfig(**given))
    if kind == "style":
        return evaluate_style(StyleEvalConfig(**given))
    return evaluate_video(VideoEvalConfig(**given))


if __name__ == "__main__":
    main()
