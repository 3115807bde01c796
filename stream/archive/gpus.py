"""GPUs as slots: each worker process sees one GPU alone, and several GPUs serve several workers."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from engines.runners.devices import Device, wants_cuda

VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
"""The variable that CUDA reads when a process first uses it: numbers or UUIDs, up to the first that is invalid."""


def gpus_for(
    device: Device, environment: Mapping[str, str] = os.environ, count: Callable[[], int] | None = None
) -> list[str]:
    """Names of the GPUs that this process may use, as CUDA knows them; none where nets run on the CPU.

    ``count`` counts them. Raises what :func:`~engines.runners.devices.wants_cuda` raises.
    """
    if not wants_cuda(device):
        return []
    return visible_gpus(environment.get(VISIBLE), count or _count)


def visible_gpus(named: str | None, count: Callable[[], int]) -> list[str]:
    """The GPUs that the variable names; all of the machine where it is not set."""
    if named is None:
        return [str(number) for number in range(count())]
    names = [name.strip() for name in named.split(",")]
    ends = next((place for place, name in enumerate(names) if name in ("", "-1")), len(names))
    return names[:ends]


def gpu_of_worker(number: int, gpus: Sequence[str]) -> str | None:
    """By turns, so that more workers than GPUs share them evenly."""
    return gpus[number % len(gpus)] if gpus else None


def see_alone(gpu: str | None) -> None:
    """Hide all other GPUs from this process, which has not used CUDA yet."""
    if gpu is not None:
        os.environ[VISIBLE] = gpu


def _count() -> int:
    import torch

    return torch.cuda.device_count()
