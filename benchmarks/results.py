"""The files that a run leaves, and which of their rows a goal or a regime speaks of."""

import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.cases import SPARSE_SOFTMAX
from benchmarks.inputs import ADVERSARIAL, FAMILIES, NORMAL

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
FOLDERS = {"cpu": RESULTS, "cuda": RESULTS / "cuda"}  # of whole runs on each kind of device
PARTIAL = RESULTS / "partial"  # of runs that leave out cases; not for keeping
# What a goal can limit, from the columns of a table of measurements.
MEASURES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "ratio": lambda table: table["ratio"],
    "GB/s": lambda table: table["gigabytes_per_second"],
    "µs": lambda table: table["zeta_ms"] * 1e3,
    "µs beyond": lambda table: (table["zeta_ms"] - table["baseline_ms"]) * 1e3,
}
# Those of a table of measurements that goals and regimes speak of.
TEXTS = ("suite", "operator", "mask", "operation", "shape", "dtype", "family", "baseline", "pages")
NUMBERS = (
    *("dim", "length", "k", "zeta_ms", "baseline_ms", "ratio"),
    *("ratio_lower_quartile", "ratio_upper_quartile", "gigabytes_per_second"),
)

# What runs did not tell apart that have no such column.
WITHOUT_COLUMN = {"operator": SPARSE_SOFTMAX, "mask": "", "pages": ""}

FAMILY_GROUPS = {"normal": NORMAL, "adversarial": ADVERSARIAL, "any": tuple(FAMILIES)}
CASE = ["operator", "mask", "shape", "dim", "k", "dtype"]
ENGINE_NAME = r"sparse_softmax/cache/(?P<dtype>\w+)/(?P<family>[^/]+)/rows:\d+/n:(?P<length>\d+)/k:(?P<k>\d+)/"


@dataclass(frozen=True)
class Results:
    device: str
    measurements: pd.DataFrame
    machine: dict[str, str]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.measurements.to_csv(folder / f"{self.device}.csv", index=False)
        pd.Series(self.machine, name="value").to_csv(folder / "machine.csv", index_label="fact")

    @staticmethod
    def load(device: str, folder: Path) -> "Results":
        """What was measured; no measurement at all where nothing was saved."""
        table = folder / f"{device}.csv"
        if not table.exists():
            kinds = {**dict.fromkeys(TEXTS, str), **dict.fromkeys(NUMBERS, float)}
            nothing = {name: pd.Series(dtype=kind) for name, kind in kinds.items()}
            return Results(device, pd.DataFrame(nothing), {})
        facts = pd.read_csv(folder / "machine.csv", index_col="fact", dtype=str)
        texts = {"mask": "", "pages": ""}
        measurements = pd.read_csv(table, dtype=dict.fromkeys(texts, str)).fillna(texts)
        known = {key: WITHOUT_COLUMN[key] for key in WITHOUT_COLUMN if key not in measurements}
        return Results(device, measurements.assign(**known), facts["value"].to_dict())


@dataclass(frozen=True)
class Selection:
    """Some rows of the measurements, as the files of goals and regimes name them."""

    title: str
    operation: str
    baseline: str
    rows: str
    families: str = "normal"

    def of(self, measurements: pd.DataFrame) -> pd.DataFrame:
        families = FAMILY_GROUPS[self.families]
        chosen = measurements.query(self.rows)
        return chosen[
            (chosen["operation"] == self.operation)
            & (chosen["baseline"] == self.baseline)
            & chosen["family"].isin(families)
        ]


@dataclass(frozen=True)
class Goal(Selection):
    at_most: float | None = None
    at_least: float | None = None
    measure: str = "ratio"  # what is limited: a column of MEASURES
    first_design: float | None = None  # what was measured of other kernels before


def load_engine(folder: Path) -> pd.DataFrame:
    """What `make bench-engine` wrote: GB/s of the engine alone, on one thread, in one core's cache."""
    measured = _engine_report(folder).get("benchmarks", [])
    table = pd.DataFrame(measured, columns=["name", "bytes_per_second"])
    parts = table["name"].str.extract(ENGINE_NAME).dropna()
    return parts.astype({"length": int, "k": int}).assign(
        gigabytes_per_second=table["bytes_per_second"] / 1e9
    )


def load_engine_context(folder: Path) -> dict[str, Any]:
    """When and where `make bench-engine` ran."""
    context: dict[str, Any] = _engine_report(folder)["context"]
    return context


def _engine_report(folder: Path) -> dict[str, Any]:
    file = folder / "engine.json"
    report: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    return report


def load_goals(device: str) -> list[Goal]:
    return [Goal(**entry) for entry in _load(device, "goals")]


def load_regimes(device: str) -> list[Selection]:
    return [Selection(**entry) for entry in _load(device, "regimes")]


def _load(device: str, name: str) -> list[dict[str, Any]]:
    text = (FOLDER / f"{device}_{name}.toml").read_text()
    entries: list[dict[str, Any]] = tomllib.loads(text)[name]
    return entries
