"""Times functions that take turns, so that whatever slows the machine slows all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from benchmarks.clocks import Clock
from benchmarks.contenders import Contender
from benchmarks.statistics import any_unsteady

SHORT = 20e-3  # seconds of a call that is worth another one to know it


@dataclass(frozen=True)
class Budget:
    """How often to repeat: as often as the seconds allow, within limits. And how long to go on
    where the ratios are unsteady."""

    seconds: float
    least: int
    most: int
    patience: float  # seconds after which nothing is repeated again

    def repetitions(self, seconds_of_one: float) -> int:
        return min(self.most, max(self.least, int(self.seconds / seconds_of_one)))


def interleaved(contenders: Sequence[Contender], budget: Budget, clock: Clock) -> np.ndarray:
    """Seconds of a call: one row for each repetition, one column for each contender. What counts
    is the ratio of the first contender to each other one."""
    rough = [_warm_up(contender, clock) for contender in contenders]
    counts = [max(1, math.ceil(clock.shortest / seconds)) for seconds in rough]
    one_round = sum(seconds * count for seconds, count in zip(rough, counts, strict=True))
    repetitions = budget.repetitions(one_round)
    started = perf_counter()
    times: list[list[float]] = []
    while True:
        # As many again: to look after each one would be to stop when chance makes them agree.
        for _ in range(repetitions):
            times.append(_one_round(contenders, counts, len(times), clock))
        result = np.array(times)
        is_late = perf_counter() - started > budget.patience
        if is_late or not any_unsteady(result[:, :1] / result[:, 1:]):
            return result


def _one_round(
    contenders: Sequence[Contender], counts: Sequence[int], first: int, clock: Clock
) -> list[float]:
    seconds = [0.0] * len(contenders)
    # Each round begins with another one, so that none always comes first.
    for turn in range(len(contenders)):
        i = (first + turn) % len(contenders)
        total = clock.seconds(contenders[i].function, counts[i])
        seconds[i] = total / (counts[i] * contenders[i].calls)
    return seconds


def _warm_up(contender: Contender, clock: Clock) -> float:
    seconds = clock.seconds(contender.function, 1)
    # The first call may have loaded code; a second one shows how long a short call really takes.
    return clock.seconds(contender.function, 1) if seconds < SHORT else seconds
