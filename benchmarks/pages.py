"""Which pages the system gives to the results of operators on a CPU.

The first touch of new memory takes the system longer than most operators take, with ordinary pages
much longer than with huge ones. zeta asks for huge pages under its own results; glibc does so for
all memory, if it is told to. Both are decided when a process starts, so each policy has its own.
"""

import os
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.results import Results

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")


class Pages(StrEnum):
    HUGE = "huge"  # for zeta and for its baselines
    ORDINARY = "ordinary"  # for all of them, too
    ZETA_HUGE = "huge for zeta"  # and ordinary for the others: what users have who set nothing


VARIABLES = {
    Pages.HUGE: {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "ZETA_HUGE_PAGES": "1"},
    Pages.ORDINARY: {"ZETA_HUGE_PAGES": "0"},
    Pages.ZETA_HUGE: {"ZETA_HUGE_PAGES": "1"},
}


def system_setting() -> str:
    """always, madvise or never; "never" where the system says nothing of it."""
    text = ENABLED.read_text() if ENABLED.exists() else "[never]"
    return text[text.index("[") + 1 : text.index("]")]


def possible() -> list[Pages]:
    """The policies that the system's setting leaves to a process."""
    return {"always": [Pages.HUGE], "madvise": list(Pages), "never": [Pages.ORDINARY]}[
        system_setting()
    ]


def environment(pages: Pages) -> dict[str, str]:
    """Of a process of this policy."""
    inherited = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    return {**inherited, **VARIABLES[pages]}


def measure(pages: Pages, arguments: list[str]) -> pd.DataFrame:
    """What the benchmark of these arguments measures in a process of this policy."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks", *arguments]
        subprocess.run(
            [*command, "--pages", pages, "--results", folder], check=True, env=environment(pages)
        )
        return Results.load("cpu", Path(folder)).measurements
