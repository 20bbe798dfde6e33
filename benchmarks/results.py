"""The files that a run leaves, and which of their rows a goal or a regime speaks of."""

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.inputs import ADVERSARIAL, FAMILIES, NORMAL

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
PARTIAL = RESULTS / "partial"  # of runs that leave out cases; not for keeping

FAMILY_GROUPS = {"normal": NORMAL, "adversarial": ADVERSARIAL, "any": tuple(FAMILIES)}
CASE = ["shape", "dim", "k", "dtype"]
ENGINE_NAME = r"sparse_softmax/cache/(?P<dtype>\w+)/(?P<family>[^/]+)/rows:\d+/n:(?P<length>\d+)/k:(?P<k>\d+)/"


@dataclass(frozen=True)
class Results:
    measurements: pd.DataFrame
    machine: dict[str, str]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.measurements.to_csv(folder / "cpu.csv", index=False)
        pd.Series(self.machine, name="value").to_csv(folder / "machine.csv", index_label="fact")

    @staticmethod
    def load(folder: Path) -> "Results":
        facts = pd.read_csv(folder / "machine.csv", index_col="fact", dtype=str)
        return Results(pd.read_csv(folder / "cpu.csv"), facts["value"].to_dict())


@dataclass(frozen=True)
class Selection:
    """Some rows of the measurements, as goals.toml and regimes.toml name them."""

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
    at_most: float | None = None  # for the ratio
    at_least: float | None = None  # for GB/s


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


def load_goals() -> list[Goal]:
    return [Goal(**entry) for entry in _load("goals")]


def load_regimes() -> list[Selection]:
    return [Selection(**entry) for entry in _load("regimes")]


def _load(name: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads((FOLDER / f"{name}.toml").read_text())[name]
    return entries
