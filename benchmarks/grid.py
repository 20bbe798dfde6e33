"""Which cases are measured, for each kind of device."""

from collections.abc import Collection

from benchmarks import cpu_cases, cuda_cases, family_cases, switch
from benchmarks.cases import Case, only_passes
from benchmarks.pages import Pages

SUITES = {"cpu": cpu_cases.SUITES | family_cases.SUITES, "cuda": cuda_cases.SUITES}


def grid(device: str, quick: bool, suites: Collection[str] = ()) -> list[Case]:
    """All cases of the suites named; of all suites, if none is."""
    return [case for name in suites or SUITES[device] for case in SUITES[device][name](quick)]


def under(cases: list[Case], pages: Pages | None) -> list[Case]:
    """What is measured in a process of this policy; without one, what allocates no result."""
    if pages is None:
        return only_passes(cases, lambda operation: not operation.allocates)
    allocating = only_passes(cases, lambda operation: operation.allocates)
    if pages is Pages.ORDINARY:
        return allocating
    return [
        case for case in allocating if (case.suite == switch.SUITE) == (pages is Pages.ZETA_HUGE)
    ]
