"""Measures the grid, and writes tables and pictures of it: python -m benchmarks --help."""

import argparse
from pathlib import Path

import pandas as pd

from benchmarks import pages, report, summary
from benchmarks.cases import Case
from benchmarks.grid import SUITES, grid, under
from benchmarks.results import FOLDERS, PARTIAL, RESULTS, Results

# Seconds for a case, quick and not: enough repetitions for the quartiles of a quiet machine to lie
# within a few percent. A GPU is quiet.
SECONDS = {"cpu": (0.25, 0.8), "cuda": (0.02, 0.05)}
PATIENCE = 3  # times these seconds, where the quartiles lie far apart


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--device", choices=SUITES, default="cpu")
    parser.add_argument("--quick", action="store_true", help="few cases, in less than 3 minutes")
    parser.add_argument(
        "--suite",
        action="append",
        choices=sorted({name for suites in SUITES.values() for name in suites}),
        default=[],
        help="only these suites of cases",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="measure nothing: make the tables and pictures again from the CSV files",
    )
    parser.add_argument(
        "--results",
        type=Path,
        help=f"folder of the results (default: {RESULTS.name}, {RESULTS.name}/cuda, or "
        f"{RESULTS.name}/{PARTIAL.name} with --quick or --suite, a folder for each device)",
    )
    parser.add_argument(
        "--pages",
        type=pages.Pages,
        choices=pages.Pages,
        help="only what allocates its results, whose pages this process's environment decides; the "
        "command measures these itself, in processes of their own",
    )
    arguments = parser.parse_args()
    device = arguments.device
    is_whole = not arguments.quick and not arguments.suite
    folder = arguments.results or (FOLDERS[device] if is_whole else PARTIAL / device)
    if arguments.pages:
        cases = under(grid(device, arguments.quick, arguments.suite), arguments.pages)
        Results(device, timed(cases, device, arguments.quick, arguments.pages), {}).save(folder)
        return
    if not arguments.report:
        run(device, arguments.quick, arguments.suite).save(folder)
    report.write(Results.load(device, folder), folder)
    if folder.resolve() == FOLDERS[device]:
        summary.write()
    print((folder / f"{device}.md").read_text())
    print((folder / report.REGIMES[device]).read_text())
    print(f"Everything is in {folder}.")


def run(device: str, quick: bool, suites: list[str]) -> Results:
    from benchmarks.machine import facts
    from benchmarks.measurement import THREADS

    cases = grid(device, quick, suites)
    part = "" if not quick and not suites else " (a part of the grid)"
    machine = {**facts(device, THREADS), "cases": f"{len(cases)} cases{part}"}
    if device != "cpu":
        return Results(device, timed(cases, device, quick), machine)
    tables = [timed(under(cases, None), device, quick)]
    arguments = [*["--quick"] * quick, *(f"--suite={name}" for name in suites)]
    for policy in pages.possible():
        if under(cases, policy):
            tables.append(pages.measure(policy, arguments))
    return Results(device, pd.concat([table for table in tables if len(table)]), machine)


def timed(cases: list[Case], device: str, quick: bool, policy: str = "") -> pd.DataFrame:
    # A report needs no zeta.
    from benchmarks.measurement import measure
    from benchmarks.timing import Budget

    seconds = SECONDS[device][0 if quick else 1]
    budget = Budget(seconds, 5 if quick else 3, 15, PATIENCE * seconds)
    return measure(cases, budget, device, policy)


if __name__ == "__main__":
    main()
