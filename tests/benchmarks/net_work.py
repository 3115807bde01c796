"""Operations and bytes of a net, counted while it runs and not estimated from its layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, kw_only=True)
class Work:
    """One run of a net."""

    flops: int
    """Multiplications and additions in matrix products and convolutions."""
    least_bytes: int
    """Weights, inputs and outputs, each once: the traffic of a perfectly fused net."""
    eager_bytes: int
    """The sum of what each operation reads and writes."""

    def bound(self, tflops: float, gb_per_s: float) -> str:
        """Whether computing or memory limits the net on a machine with these peaks (roofline, Williams et al. 2009).

        It is assumed to move as little as it can.
        """
        return "computing" if self.flops / tflops / 1e3 > self.least_bytes / gb_per_s else "memory"


class _Traffic(TorchDispatchMode):
    """Adds up the bytes that operations read and write. Views move none."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [one for one in tree_leaves((args, kwargs, given)) if isinstance(one, torch.Tensor)]
            self.bytes += sum(_size(one) for one in tensors)
        return given


def work_of(module: torch.nn.Module, inputs: list[torch.Tensor]) -> Work:
    """Run the net and count."""
    weights = sum(_size(one) for one in (*module.parameters(), *module.buffers()))
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        outputs = module(*inputs)
    with torch.no_grad(), _Traffic() as traffic:
        module(*inputs)
    moved = sum(_size(one) for one in tree_leaves((inputs, outputs)) if isinstance(one, torch.Tensor))
    return Work(flops=flops.get_total_flops(), least_bytes=weights + moved, eager_bytes=traffic.bytes)


def _size(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def milliseconds(run: Callable[[], object], *, rounds: int = 50, warm_up: int = 10) -> list[float]:
    """GPU time of each run by the GPU's own clock, after a warm-up."""
    for _ in range(warm_up):
        run()
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(rounds)]
    for start, end in marks:
        start.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) for start, end in marks]


def peaks() -> dict[str, float]:
    """The best that this GPU reaches in products of large float32 and bfloat16 matrices, and in copies of 1 GiB."""
    torch.backends.cuda.matmul.allow_tf32 = False
    side = 8192
    found = {}
    for name, dtype in (("f32_tflops", torch.float32), ("bf16_tflops", torch.bfloat16)):
        one = torch.randn(side, side, device="cuda", dtype=dtype)
        best = min(milliseconds(lambda one=one: one @ one, rounds=10, warm_up=3))
        found[name] = 2 * side**3 / best / 1e9
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    found["gb_per_s"] = 2 * source.numel() / min(milliseconds(lambda: target.copy_(source), rounds=10)) / 1e6
    return {name: round(value, 1) for name, value in found.items()}
