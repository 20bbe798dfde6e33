"""Times functions that take turns, so that whatever slows the machine slows all of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.clocks import Clock
from benchmarks.contenders import Contender

SHORT = 20e-3  # seconds of a call that is worth another one to know it


@dataclass(frozen=True)
class Budget:
    """How often to repeat: as often as the seconds allow, within limits."""

    seconds: float
    least: int
    most: int

    def repetitions(self, seconds_of_one: float) -> int:
        return min(self.most, max(self.least, int(self.seconds / seconds_of_one)))


def interleaved(contenders: Sequence[Contender], budget: Budget, clock: Clock) -> np.ndarray:
    """Seconds of a call: one row for each repetition, one column for each contender."""
    rough = [_warm_up(contender, clock) for contender in contenders]
    counts = [max(1, math.ceil(clock.shortest / seconds)) for seconds in rough]
    one_round = sum(seconds * count for seconds, count in zip(rough, counts, strict=True))
    result = np.empty((budget.repetitions(one_round), len(contenders)))
    for repetition, seconds in enumerate(result):
        # Nobody always comes after the same one, whose traces in the caches it would meet.
        for turn in range(len(contenders)):
            i = (repetition + turn) % len(contenders)
            total = clock.seconds(contenders[i].function, counts[i])
            seconds[i] = total / (counts[i] * contenders[i].calls)
    return result


def _warm_up(contender: Contender, clock: Clock) -> float:
    seconds = clock.seconds(contender.function, 1)
    # The first call may have loaded code; a second one shows how long a short call really takes.
    return clock.seconds(contender.function, 1) if seconds < SHORT else seconds
