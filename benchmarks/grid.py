"""Which cases are measured, for each kind of device."""

from collections.abc import Collection

from benchmarks import cpu_cases, cuda_cases
from benchmarks.cases import Case

SUITES = {"cpu": cpu_cases.SUITES, "cuda": cuda_cases.SUITES}


def grid(device: str, quick: bool, suites: Collection[str] = ()) -> list[Case]:
    """All cases of the suites named; of all suites, if none is."""
    return [case for name in suites or SUITES[device] for case in SUITES[device][name](quick)]
