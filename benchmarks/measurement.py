"""From the grid to a table: one row for each pass of a case and each of its baselines."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.cases import DTYPES, Case, Pass, Residency
from benchmarks.clocks import Clock, clock_of
from benchmarks.contenders import Contenders
from benchmarks.inputs import SEED, make
from benchmarks.rivals import is_installed
from benchmarks.timing import Budget, interleaved

THREADS = 2


def measure(cases: list[Case], budget: Budget, device: str, pages: str = "") -> pd.DataFrame:
    """`pages` says what the process has; nothing where no result is allocated, or not on a CPU."""
    torch.manual_seed(SEED)
    clock = clock_of(device)
    rows: list[dict[str, object]] = []
    previous: Case | None = None
    z = torch.empty(0)
    for case in (progress := tqdm(cases, unit="case", dynamic_ncols=True)):
        progress.set_postfix_str(f"{case}", refresh=False)
        if previous is None or case.input != previous.input:
            z = make(case.family, case.shape, case.dim, DTYPES[case.dtype], device)
        rows.extend(_measure_case(case, z, budget, clock))
        previous = case
    return pd.DataFrame(rows).assign(pages=pages)


def _measure_case(
    case: Case, z: Tensor, budget: Budget, clock: Clock
) -> Iterator[dict[str, object]]:
    threads = 1 if case.residency is Residency.CACHE else THREADS
    torch.set_num_threads(threads)
    contenders = Contenders(case, z)
    try:
        contenders.check()
    except Exception as error:
        error.add_note(f"in the benchmark of {case}")
        raise
    for operation, named in case.comparisons:
        baselines = [name for name in named if is_installed(name)]
        competing = [contenders.contender(name, operation) for name in ("zeta", *baselines)]
        seconds = interleaved(competing, budget, clock)
        for column, baseline in enumerate(baselines, start=1):
            yield {
                **_columns(case, operation),
                "baseline": baseline,
                "threads": threads,
                **_summary(seconds[:, 0], seconds[:, column], operation, z.nbytes),
            }


def _columns(case: Case, operation: Pass) -> dict[str, object]:
    return {
        "suite": case.suite,
        "operator": case.operator,
        "mask": case.mask,
        "operation": str(operation),
        "shape": "x".join(map(str, case.shape)),
        "dim": case.dim,
        "length": case.length,
        "k": case.k,
        "dtype": case.dtype,
        "family": case.family,
    }


def _summary(
    zeta: np.ndarray, baseline: np.ndarray, operation: Pass, size: int
) -> dict[str, object]:
    """The medians, and how far the ratios of single repetitions lie apart."""
    ratios = zeta / baseline
    lower, median, upper = np.quantile(ratios, (0.25, 0.5, 0.75))
    numbers = {
        "zeta_ms": np.median(zeta) * 1e3,
        "baseline_ms": np.median(baseline) * 1e3,
        "ratio": median,
        "ratio_lower_quartile": lower,
        "ratio_upper_quartile": upper,
        "ratio_least": ratios.min(),
        "gigabytes_per_second": (
            2 * size / np.median(zeta) / 1e9 if operation.moves_all_bytes else np.nan
        ),
    }
    rounded = {name: float(f"{number:.4g}") for name, number in numbers.items()}
    return {"repetitions": len(ratios), **rounded}
