"""Processes of one group, which run functions together."""

import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Self

import torch
import torch.distributed

SECONDS = 300


def _join(rank: int, size: int, store: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=size
    )


class Ranks:
    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        store = str(Path(self._folder.name) / "store")
        self._executors = [
            ProcessPoolExecutor(1, get_context("spawn"), _join, (rank, self.size, store))
            for rank in range(self.size)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for executor in self._executors:
            executor.shutdown()
        self._folder.cleanup()

    def run(self, function: Callable[..., Any], *args: Any) -> list[Any]:
        """What each rank returns. Raises what any of them raised."""
        futures = [executor.submit(function, *args) for executor in self._executors]
        return [future.result(SECONDS) for future in futures]
