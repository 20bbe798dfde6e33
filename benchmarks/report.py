"""From a table of measurements to what is read: goals met or short, regimes against a copy."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import switch
from benchmarks.cases import Pass
from benchmarks.results import (
    FOLDER,
    FOLDERS,
    Goal,
    Results,
    Selection,
    load_engine,
    load_engine_context,
    load_goals,
    load_regimes,
)
from benchmarks.statistics import are_unsteady, geometric_mean
from benchmarks.verdicts import by_pages, judge

README = FOLDER.parent / "README.md"
REGIMES = {"cpu": "regimes.md", "cuda": "cuda_regimes.md"}
PROFILED_BY = "python -m benchmarks.profile"


def _limit(goal: Goal) -> str:
    if goal.at_most is not None:
        return f"≤ {goal.at_most}"
    return "–" if goal.at_least is None else f"≥ {goal.at_least}"


def _share_unsteady(unsteady: int, all_of_them: int) -> str:
    return f", {unsteady} of {all_of_them} unsteady" if unsteady else ""


def goal_table(measurements: pd.DataFrame, goals: Iterable[Goal]) -> str:
    verdicts = [judge(*part) for goal in goals for part in by_pages(goal, measurements)]
    has_first = any(verdict.goal.first_design is not None for verdict in verdicts)
    head = ("ratio of times, or as named", "goal", "measured", "worst", "which is", "verdict")
    return markdown(
        (*head, *("first design",) * has_first),
        (
            (
                verdict.goal.title,
                _limit(verdict.goal),
                number(verdict.measured) + _share_unsteady(verdict.unsteady, verdict.cases),
                number(verdict.worst) + ", unsteady" * verdict.is_worst_unsteady,
                verdict.worst_case,
                verdict,
                *(verdict.goal.first_design or "–",) * has_first,
            )
            for verdict in verdicts
        ),
    )


def regime_bandwidths(measurements: pd.DataFrame, regimes: Iterable[Selection]) -> pd.DataFrame:
    """Of each regime measured: GB/s of zeta and of the copy beside it, and the ratio of times. A
    backward has the ratio alone."""
    rows = []
    parts = [part for regime in regimes for part in by_pages(regime, measurements)]
    for regime, chosen in parts:
        if chosen.empty:
            continue
        zeta = copy = np.nan
        if Pass(regime.operation).moves_all_bytes:
            bandwidth = chosen["gigabytes_per_second"]
            zeta = geometric_mean(bandwidth)
            copy = geometric_mean(bandwidth * chosen["zeta_ms"] / chosen["baseline_ms"])
        note = _share_unsteady(int(are_unsteady(chosen).sum()), len(chosen))
        ratio = geometric_mean(chosen["ratio"])
        rows.append((regime.title, regime.baseline, zeta, copy, ratio, note))
    return pd.DataFrame(rows, columns=["regime", "baseline", "zeta", "copy", "ratio", "note"])


def regime_table(bandwidths: pd.DataFrame) -> str:
    return markdown(
        ("regime", "zeta, GB/s", "copy, GB/s", "by", "time / copy's"),
        (
            (
                *(row.regime, number(row.zeta), number(row.copy), f"`{row.baseline}`"),
                number(row.ratio) + row.note,
            )
            for row in bandwidths.itertuples()
        ),
    )


def engine_table(engine: pd.DataFrame) -> str:
    """GB/s for each length: float32 and bfloat16, with a small k, a large one and none."""
    normal = engine[engine["family"] == "N(0,1)"]
    columns = [(dtype, k) for dtype in ("float32", "bfloat16") for k in ("3", "32", "n")]
    lines = []
    for length, rows in normal.groupby("length"):
        of_k = {"3": rows["k"] == 3, "32": rows["k"] == 32, "n": rows["k"] == length}
        found = [rows[(rows["dtype"] == dtype) & of_k[k]] for dtype, k in columns]
        speeds = [number(geometric_mean(cell["gigabytes_per_second"])) for cell in found]
        lines.append((length, *speeds))
    return markdown(("n", *(f"{dtype}, k = {k}" for dtype, k in columns)), lines)


def machine_line(results: Results) -> str:
    if not results.machine:
        return "Not measured: no run on such a device was made yet."
    if results.device == "cuda":
        text = (
            "Measured on {date}, {cases}, {gpu} ({multiprocessors} multiprocessors, L2 {l2}, {memory}), "
            "compiled for {architectures}, CUDA {cuda}, torch {torch}, zeta {zeta}, Python {python}."
        )
        return text.format_map(results.machine)
    text = (
        "Measured on {date}, {cases}, {threads} threads of {cpu} ({cpu_model}, {cores} cores, L2 {l2}, "
        "L3 {l3}, {memory}), instruction set {capability}, torch {torch}, zeta {zeta}, "
        "Python {python}, {compiler}."
    )
    return text.format_map(results.machine)


def engine_line(folder: Path) -> str:
    context = load_engine_context(folder)
    return (
        f"Measured on {context['date'][:10]} by `make bench-engine KEEP=1`, one thread, "
        f"instruction set {context['capability']}."
    )


def write(results: Results, folder: Path) -> None:
    """Writes the tables and pictures; those of the whole grid are quoted by the documents."""
    measurements = pd.concat(
        [results.measurements, switch.compare(results.measurements)], ignore_index=True
    )
    bandwidths = regime_bandwidths(measurements, load_regimes(results.device))
    tables = {
        f"{results.device}.md": goal_table(measurements, load_goals(results.device)),
        REGIMES[results.device]: regime_table(bandwidths),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        (folder / name).write_text(f"{machine_line(results)}\n\n{table}")
    if not results.measurements.empty:
        from benchmarks import pictures  # needs matplotlib, which tables do without

        pictures.draw_ratios(results.measurements, folder / "forward.png")
        pictures.draw_bandwidths(bandwidths.dropna(), folder / "bandwidth.png")
    engine = load_engine(folder)
    if not engine.empty:
        text = f"{engine_line(folder)}\n\n{engine_table(engine)}"
        (folder / "engine.md").write_text(text)
    if folder.resolve() == FOLDERS[results.device]:
        if not engine.empty:
            quote(FOLDER / "README.md", folder / "engine.md")
        if (folder / "profile.md").exists():
            quote(FOLDER / "README.md", folder / "profile.md", PROFILED_BY)
        quote(README, folder / f"{results.device}.md")
        quote(FOLDER / "README.md", folder / REGIMES[results.device])


def quote(document: Path, source: Path, command: str = "make bench") -> None:
    """Replaces what stands between the source's two marks in the document by the source."""
    before, _, after = split_at_quotation(document.read_text(), source.name, command)
    document.write_text(f"{before}{source.read_text()}{after}")


def split_at_quotation(text: str, name: str, command: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {name}, written by {command} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    quoted, after = rest.split(end)
    return before + begin, quoted, end + after


def markdown(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def number(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
