"""Measures the grid, and writes tables and pictures of it: python -m benchmarks --help."""

import argparse
from pathlib import Path

from benchmarks import report
from benchmarks.cases import SUITES, grid
from benchmarks.results import PARTIAL, RESULTS, Results

# Enough repetitions for the quartiles of a quiet machine to lie within a few percent.
SECONDS, QUICK_SECONDS = 0.8, 0.25


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few cases, in less than 3 minutes")
    parser.add_argument(
        "--suite", action="append", choices=SUITES, default=[], help="only these suites of cases"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="measure nothing: make the tables and pictures again from the CSV files",
    )
    parser.add_argument(
        "--results",
        type=Path,
        help=f"folder of the results (default: {RESULTS.name}, or {RESULTS.name}/{PARTIAL.name} "
        "with --quick or --suite)",
    )
    arguments = parser.parse_args()
    folder = arguments.results or (PARTIAL if arguments.quick or arguments.suite else RESULTS)
    if not arguments.report:
        run(arguments.quick, arguments.suite).save(folder)
    results = Results.load(folder)
    report.write(results, folder)
    print((folder / "cpu.md").read_text())
    print((folder / "regimes.md").read_text())
    print(f"Everything is in {folder}.")


def run(quick: bool, suites: list[str]) -> Results:
    # A report needs no zeta.
    from benchmarks.machine import facts
    from benchmarks.measurement import THREADS, measure
    from benchmarks.timing import Budget

    cases = grid(quick, suites)
    budget = Budget(QUICK_SECONDS, 5, 15) if quick else Budget(SECONDS, 3, 15)
    part = "" if not quick and not suites else " (a part of the grid)"
    return Results(measure(cases, budget), {**facts(THREADS), "cases": f"{len(cases)} cases{part}"})


if __name__ == "__main__":
    main()
