"""How the time of a call is told, on each kind of device."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

import torch


class Clock(Protocol):
    shortest: float  # seconds of one timing; of shorter calls, it takes several

    def seconds(self, function: Callable[[], Any], count: int) -> float:
        """Of `count` calls."""


class WallClock:
    shortest = 1e-3

    def seconds(self, function: Callable[[], Any], count: int) -> float:
        started = perf_counter()
        for _ in range(count):
            function()
        return perf_counter() - started


class CudaClock:
    """Between events on the stream, with nothing of the operands in the second cache. Writing over
    that takes longer than to queue a call, so that the GPU does not wait for Python meanwhile."""

    shortest = 0.0
    FLUSHED_BYTES = 512 << 20

    def __init__(self) -> None:
        self._flushed = torch.empty(self.FLUSHED_BYTES, dtype=torch.uint8, device="cuda")

    def seconds(self, function: Callable[[], Any], count: int) -> float:
        started = torch.cuda.Event(enable_timing=True)
        ended = torch.cuda.Event(enable_timing=True)
        self._flushed.zero_()
        started.record()
        for _ in range(count):
            function()
        ended.record()
        ended.synchronize()
        return float(started.elapsed_time(ended)) / 1e3


def clock_of(device: str) -> Clock:
    return CudaClock() if device == "cuda" else WallClock()
