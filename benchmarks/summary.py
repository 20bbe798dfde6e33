"""The README's table of speed: a line for each of three operators on each kind of device."""

from collections.abc import Iterator

import pandas as pd

from benchmarks.pages import Pages
from benchmarks.report import markdown, number, share_unsteady, write_between_marks
from benchmarks.results import FOLDER, FOLDERS, Results, Selection
from benchmarks.statistics import are_unsteady, geometric_mean

README = FOLDER.parent / "README.md"
NAME, COMMAND = "speed", "make bench"  # in the marks around the table

NOTHING = "not measured"
LENGTH = 1024
OF_LENGTH = f"length == {LENGTH}"
# Each with what it stands in for, which need not be measured with rows of that length.
OPERATORS = {
    "sparse_softmax": "entmax.sparsemax",
    "topk_softmax": "softmax + topk",
    "entmax15": "entmax.entmax15",
}
MACHINES = {
    "cpu": "CPU: {date}, {threads} threads of {cpu}, {capability}, torch {torch}.",
    "cuda": "CUDA: {date}, {gpu}, torch {torch}.",
}
HEAD = (
    *("device", "operator", f"rows of {LENGTH}, ms", "time / `copy_`"),
    *("time / `torch.softmax`", "time / what it replaces"),
)


def write() -> None:
    kept = [Results.load(device, folder) for device, folder in FOLDERS.items()]
    write_between_marks(README, NAME, COMMAND, summary(kept))


def summary(runs: list[Results]) -> str:
    machines = "\n".join(_machine_line(run) for run in runs)
    return f"{machines}\n\n{markdown(HEAD, (line for run in runs for line in _lines(run)))}"


def _machine_line(run: Results) -> str:
    if not run.machine:
        return f"{run.device.upper()}: {NOTHING}."
    return MACHINES[run.device].format_map(run.machine)


def _lines(run: Results) -> Iterator[tuple[str, ...]]:
    for operator, replaced in OPERATORS.items():
        rows = _rows_of(operator, run.measurements)
        into_out = _chosen(rows, "forward into out", "copy_", OF_LENGTH)
        beside_softmax = _chosen(rows, "forward", "torch.softmax", OF_LENGTH)
        beside_replaced = _chosen(rows, "forward", replaced, "length > 0")
        yield (
            *(run.device.upper(), f"`{operator}`", _milliseconds(into_out)),
            *(_ratio(into_out), _ratio(beside_softmax)),
            f"`{replaced}`: {_ratio(beside_replaced)}",
        )


def _rows_of(operator: str, measurements: pd.DataFrame) -> pd.DataFrame:
    """In float32, along the last dim, and with huge pages where there is a choice."""
    return measurements[
        (measurements["operator"] == operator)
        & (measurements["dtype"] == "float32")
        & (measurements["dim"] == -1)
        & measurements["pages"].isin(("", Pages.HUGE))
        & ~measurements["suite"].isin(("cache", "small"))
    ]


def _chosen(rows: pd.DataFrame, operation: str, baseline: str, condition: str) -> pd.DataFrame:
    return Selection("", operation, baseline, condition).of(rows)


def _milliseconds(rows: pd.DataFrame) -> str:
    return NOTHING if rows.empty else number(geometric_mean(rows["zeta_ms"]))


def _ratio(rows: pd.DataFrame) -> str:
    """The mean over the k and the families of normal logits that were measured."""
    if rows.empty:
        return NOTHING
    unsteady = share_unsteady(int(are_unsteady(rows).sum()), len(rows))
    return number(geometric_mean(rows["ratio"])) + unsteady
