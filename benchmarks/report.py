"""From a table of measurements to what is read: goals met or short, regimes against a copy."""

from collections.abc import Iterable, Iterator, Sequence
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
from benchmarks.verdicts import Verdict, by_pages, judge

REGIMES = {"cpu": "regimes.md", "cuda": "cuda_regimes.md"}
SECOND = "second"  # the folder, in that of a run, of a second one
PROFILED_BY = "python -m benchmarks.profile"


def _limit(goal: Goal) -> str:
    if goal.at_most is not None:
        return f"≤ {goal.at_most}"
    return "–" if goal.at_least is None else f"≥ {goal.at_least}"


def share_unsteady(unsteady: int, all_of_them: int) -> str:
    return f", {unsteady} of {all_of_them} unsteady" if unsteady else ""


def goal_table(
    measurements: pd.DataFrame, goals: Iterable[Goal], second: pd.DataFrame | None = None
) -> str:
    """`second` is what another run measured of the same, which has columns of its own."""
    head = ["ratio of times, or as named", "goal", "measured", "worst", "which is", "verdict"]
    parts = [part for goal in goals for part in by_pages(goal, measurements)]
    lines = [list(_cells(judge(goal, rows))) for goal, rows in parts]
    if second is not None:
        head += ["second run", "its verdict"]
        for line, (goal, rows) in zip(lines, parts, strict=True):
            again = goal.of(second)
            verdict = judge(goal, again[again["pages"].isin(rows["pages"])])
            line += [_measured(verdict), verdict]
    if any(goal.first_design is not None for goal, _ in parts):
        head.append("first design")
        for line, (goal, _) in zip(lines, parts, strict=True):
            line.append(goal.first_design or "–")
    return markdown(head, lines)


def _cells(verdict: Verdict) -> Iterator[object]:
    yield verdict.goal.title
    yield _limit(verdict.goal)
    yield _measured(verdict)
    yield number(verdict.worst) + ", unsteady" * verdict.is_worst_unsteady
    yield verdict.worst_case
    yield verdict


def _measured(verdict: Verdict) -> str:
    return number(verdict.measured) + share_unsteady(verdict.unsteady, verdict.cases)


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
        note = share_unsteady(int(are_unsteady(chosen).sum()), len(chosen))
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


def second_run(results: Results, folder: Path) -> Results | None:
    """Another run of the same build, kept because memory had another speed; None if there is none."""
    second = Results.load(results.device, folder / SECOND)
    is_same = second.machine.get("zeta_build") == results.machine.get("zeta_build")
    return None if second.measurements.empty or not is_same else second


def speed_line(results: Results, second: Results | None) -> str:
    """Memory's speed on a CPU, which decides how strict the goals are that are ratios to a copy."""
    speed = copy_speed(results.measurements)
    if results.device != "cpu" or np.isnan(speed):
        return ""
    if second is None:
        return f"A copy ran at {speed:.0f} GB/s. No other speed of memory was seen of this build.\n"
    again = copy_speed(second.measurements)
    return f"A copy ran at {speed:.0f} GB/s, in the second run of the same build at {again:.0f}.\n"


def copy_speed(measurements: pd.DataFrame) -> float:
    rows = measurements.query("suite == 'forward' and baseline == 'copy_'")
    return geometric_mean(rows["gigabytes_per_second"] * rows["zeta_ms"] / rows["baseline_ms"])


def engine_line(folder: Path) -> str:
    context = load_engine_context(folder)
    return (
        f"Measured on {context['date'][:10]} by `make bench-engine KEEP=1`, one thread, "
        f"instruction set {context['capability']}."
    )


def write(results: Results, folder: Path) -> None:
    """Writes the tables and pictures; those of the whole grid are quoted by the documents."""
    measurements = switch.with_comparison(results.measurements)
    second = second_run(results, folder)
    goals = goal_table(
        measurements,
        load_goals(results.device),
        None if second is None else switch.with_comparison(second.measurements),
    )
    bandwidths = regime_bandwidths(measurements, load_regimes(results.device))
    folder.mkdir(parents=True, exist_ok=True)
    machine, speed = machine_line(results), speed_line(results, second)
    (folder / f"{results.device}.md").write_text(f"{machine}\n{speed}\n{goals}")
    regimes = regime_table(bandwidths)
    (folder / REGIMES[results.device]).write_text(f"{machine}\n\n{regimes}")
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
        quote(FOLDER / "README.md", folder / REGIMES[results.device])


def quote(document: Path, source: Path, command: str = "make bench") -> None:
    write_between_marks(document, source.name, command, source.read_text())


def write_between_marks(document: Path, name: str, command: str, text: str) -> None:
    before, _, after = split_at_quotation(document.read_text(), name, command)
    document.write_text(f"{before}{text}{after}")


def split_at_quotation(text: str, name: str, command: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {name}, written by {command} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(begin)
    quoted, after = rest.split(end)
    return before + begin, quoted, end + after


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def number(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
