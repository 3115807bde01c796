"""Time of a training step of EfficientNet-Lite0 with torch's and with our faster depthwise gradients, in one run.

python -m tests.benchmarks.depthwise_gradients [--threads 2] [--batch 64] [--steps 8]
"""

import argparse
import json
import time

import torch
from torch.nn import functional

from engines.nets.lite_emotion import LiteEmotionNet
from training.depthwise import speed_up_depthwise
from training.records import machine_info


def seconds_of_step(net: LiteEmotionNet, batch: int, steps: int) -> float:
    """Fastest of ``steps`` forward and backward passes in bfloat16, after one for warm-up."""
    net = net.to(memory_format=torch.channels_last).train()
    faces, labels = torch.rand(batch, 1, net.size, net.size), torch.randint(0, 7, (batch,))
    taken = []
    for _ in range(steps + 1):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16):
            loss = functional.cross_entropy(net(faces)[:, 0].float(), labels)
        loss.backward()
        taken.append(time.perf_counter() - started)
    return min(taken[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    ordinary = seconds_of_step(LiteEmotionNet(), options.batch, options.steps)
    fast_net = LiteEmotionNet()
    speed_up_depthwise(fast_net)
    fast = seconds_of_step(fast_net, options.batch, options.steps)
    print(
        json.dumps(
            {
                "ordinary_ms_per_face": round(1e3 * ordinary / options.batch, 2),
                "fast_ms_per_face": round(1e3 * fast / options.batch, 2),
                "ratio": round(fast / ordinary, 3),
                "machine": machine_info(),
            }
        )
    )


if __name__ == "__main__":
    main()
