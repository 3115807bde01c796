"""Depthwise convolutions with fast gradients on a CPU.

torch 2.13 computes two of them by slow paths in bfloat16: the gradient of the input under a stride of 2, and that of a
5x5 kernel. Both can be expressed by fast ones: a strided convolution's gradient is that of an unstrided one whose
output gradient is filled with zeros, and a 5x5 kernel is covered by four 3x3 kernels on shifted input. On two cores
this halves the time of an EfficientNet-Lite0 step (``python -m tests.benchmarks.depthwise_gradients``). The values are
the same up to rounding.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.nets.efficientnet_lite import SameConv2d


def speed_up_depthwise(net: nn.Module) -> None:
    """Replace the gradients of every depthwise ``SameConv2d`` of ``net`` (3x3 or 5x5) by the fast ones."""
    for module in net.modules():
        if isinstance(module, SameConv2d) and module.groups > 1:
            module.forward = _Forward(module)  # type: ignore[method-assign]


class _Forward:
    """Replaces ``SameConv2d.forward``."""

    def __init__(self, conv: SameConv2d) -> None:
        self._conv = conv

    def __call__(self, x: Tensor) -> Tensor:
        weight = self._conv.weight
        if torch.is_autocast_enabled("cpu") and x.device.type == "cpu":
            x, weight = x.to(torch.bfloat16), weight.to(torch.bfloat16)
        padding = (self._conv.padding_for(x.shape[2]), self._conv.padding_for(x.shape[3]))
        return _Depthwise.apply(x, weight, self._conv.stride[0], padding)


Padding = tuple[tuple[int, int], tuple[int, int]]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: Padding) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        (top, bottom), (left, right) = padding
        if (top, left) == (bottom, right):
            return functional.conv2d(x, weight, None, stride, (top, left), 1, len(weight))
        return functional.conv2d(functional.pad(x, (left, right, top, bottom)), weight, None, stride, 0, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        kernel = weight.shape[-1]
        if ctx.stride > 1:
            # Offset of the strided outputs among those of stride 1, whose padding is symmetric.
            row, column = (kernel // 2 - before for before, _ in ctx.padding)
            spread = torch.zeros_like(x)
            spread[:, :, row :: ctx.stride, column :: ctx.stride] = gradient
            gradient = spread
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_input = functional.conv2d(gradient, weight.flip(2, 3), None, 1, kernel // 2, 1, len(weight))
        if kernel == 3:
            return of_input, _kernel_gradient(gradient, x, weight, padding=1), None, None
        return of_input, _kernel_gradient_5x5(gradient, x, weight), None, None


def _kernel_gradient_5x5(gradient: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    height, width = x.shape[2:]
    padded = functional.pad(x, (2, 2, 2, 2))
    corner = weight[:, :, :3, :3].contiguous()
    found = torch.zeros_like(weight)
    for i in (0, 2):
        for j in (0, 2):
            part = padded[:, :, i : i + height + 2, j : j + width + 2].contiguous(memory_format=torch.channels_last)
            found[:, :, i : i + 3, j : j + 3] = _kernel_gradient(gradient, part, corner, padding=0)
    return found


def _kernel_gradient(gradient: Tensor, x: Tensor, weight: Tensor, *, padding: int) -> Tensor:
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, None, [1, 1], [padding] * 2, [1, 1], False, [0, 0], len(weight), [False, True, False]
    )[1]
