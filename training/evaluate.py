"""Measure what ships, or any weights, on labelled data.

    python -m training.evaluate emotion --data faces.npz [--labels ferplus] [--mc 20] [--split public]
    python -m training.evaluate colorizer --images DIR_OR_TAR [--baseline gray] [--vgg DIR_OR_NPZ]
    python -m training.evaluate video --clips DIR_OR_FILE [--baseline turbo] [--seconds 10] [--rate 6]
    python -m training.evaluate style --content DIR_OR_TAR --styles DIR [--weights fast] [--vgg FILE] [--clips DIR]

``emotion`` takes any npz of the form that ``training.data.faces`` tells: gray or RGB of any size; faces are turned to
gray and scaled to what the net takes, and images labelled 7 (contempt) are left out. ``--labels ferplus``
scores by the votes of FER+ instead: the majority of the seven classes; ties, and images that the voters
found unknown, faceless or contemptuous, are left out. A net that was trained for both kinds of labels answers each with
the output trained for it. Prints one JSON object: accuracy, macro_f1, weighted_f1, kappa, mcc, top2,
per_class (recall of each emotion), confusion (true emotions as rows), ece, brier, nll, n.

``colorizer`` takes colour photos, folders or tar files of webp, png or jpg. Each is scaled until its short side is
``--size``, its middle square is turned gray (BT.601), coloured and compared. Prints one JSON object: psnr, ssim,
ab_error, r2, colorfulness, colorfulness_truth, auc, auc_rebalanced (defined in ``training.colorizer.metrics``),
vgg_distance (null without ``--vgg``), ms_per_image, n.

``video`` takes colour clips, folders or files of what FFmpeg decodes. Each is scaled down until its short side is
``--height``, turned gray, and coloured twice by the effect ``colorize``: ``without`` stabilising the net looks at each
frame alone, ``with`` it colours are held still. Prints one JSON object: for both warp_error, cdc, psnr, colorfulness
(defined in ``training.colorizer.video_metrics``), for the ``truth`` all but psnr, over all clips (the mean of theirs) and
for each of ``clips``; n_clips, n_frames, the settings, the machine, and the clips ``left_out`` with the reason: gray
ones, short ones, and those that cannot be decoded or followed.

``style`` takes colour photos and the folder of paintings that the net learnt from; the net's card tells which file is
for which emotion. The middle squares of ``--limit`` photos are painted in each style by itself. Prints one JSON object:
content_loss (the mean over styles and photos), style_loss and content_by_style (by emotion), all relative: 0 is the
photo or the painting, 1 a picture without features (``training.style.metrics``), so that they do not depend on the
scale of VGG16's values; the same in anchors for the photos as they are (content) and for what ``--gatys-steps`` of
L-BFGS on the pixels make of the first ``--gatys-photos`` of them (gatys), beside what the net makes of the same ones.
With ``--clips``, warp_error tells how steady the painted clips are and the clips as they were, in R'G'B' of 255
(``training.style.evaluate.measure_clip``), and clips which they were. ms_per_frame is the median time of painting, by
size. ``--weights`` also takes a run's folder, whose net is not timed, as the program does not run it so.

Needs torch for ``--vgg`` and for ``style`` alone.
"""

import argparse
import json
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    emotion.add_options(kinds.add_parser("emotion", help="an emotion classifier on face images"))
    colorizer.add_options(kinds.add_parser("colorizer", help="a colorizer on photos turned gray"))
    video.add_options(kinds.add_parser("video", help="a colorizer on clips turned gray, held still and not"))
    style.add_options(kinds.add_parser("style", help="a style net on photos and clips"))
    given = vars(parser.parse_args())
    try:
        found = _answer(given.pop("kind"), given)
    except EmocolorError as error:
        parser.exit(error.exit_code, f"error: {error}\n")
    print(json.dumps(found))


def _answer(kind: str, given: dict[str, Any]) -> dict[str, object]:
    if kind == "emotion":
        return evaluate_emotion(EmotionEvalConfig(**given))
    if kind == "colorizer":
        return evaluate_colorizer(ColorizerEvalConfig(**given))
    if kind == "style":
        return evaluate_style(StyleEvalConfig(**given))
    return evaluate_video(VideoEvalConfig(**given))


if __name__ == "__main__":
    main()
