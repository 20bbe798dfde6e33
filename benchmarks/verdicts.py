"""How goals fared, and which rows they and regimes speak of."""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmarks.pages import Pages
from benchmarks.results import CASE, MEASURES, Goal, Selection
from benchmarks.statistics import are_unsteady, geometric_mean

Chosen = TypeVar("Chosen", bound=Selection)
# What a goal or a regime adds to its title where its rows were measured more than once.
PAGES = {Pages.HUGE: ", huge pages", Pages.ORDINARY: ", ordinary pages"}


@dataclass(frozen=True)
class Verdict:
    """How a goal fared over its cases, each a geometric mean over the families of inputs."""

    goal: Goal
    measured: float  # geometric mean over the cases
    worst: float
    worst_case: str
    is_worst_unsteady: bool
    cases: int
    short: int  # cases that miss the goal
    unsteady: int  # cases of which a ratio is

    def __str__(self) -> str:
        if not self.cases:
            return "not measured"
        if self.goal.at_most is None and self.goal.at_least is None:
            return "no goal"
        if not self.short:
            return "met"
        return f"short in {self.short} of {self.cases}"


def by_pages(selection: Chosen, measurements: pd.DataFrame) -> list[tuple[Chosen, pd.DataFrame]]:
    """The rows selected, those of each kind of pages for themselves; or none of them."""
    rows = selection.of(measurements)
    return [
        (
            replace(selection, title=selection.title + PAGES.get(pages, "")),
            rows[rows["pages"] == pages],
        )
        for pages in rows["pages"].unique()
    ] or [(selection, rows)]


def judge(goal: Goal, rows: pd.DataFrame) -> Verdict:
    """`rows` are those that the goal speaks of."""
    if rows.empty:
        return Verdict(goal, np.nan, np.nan, "", False, 0, 0, 0)
    by = [*CASE, "family"] if goal.families == "adversarial" else CASE
    # Differences may be negative.
    mean = pd.Series.mean if goal.measure == "µs beyond" else geometric_mean
    cases = rows.assign(measured=MEASURES[goal.measure](rows)).groupby(by)["measured"].agg(mean)
    unsteady = rows.assign(unsteady=are_unsteady(rows)).groupby(by)["unsteady"].any()
    if goal.at_least is not None:
        worst, short = cases.idxmin(), cases < goal.at_least
    else:
        at_most = np.inf if goal.at_most is None else goal.at_most
        worst, short = cases.idxmax(), cases > at_most
    return Verdict(
        goal,
        measured=float(mean(cases)),
        worst=cases[worst],
        worst_case=_describe(
            dict(zip(by, worst, strict=True)), names_operator=rows["operator"].nunique() > 1
        ),
        is_worst_unsteady=bool(unsteady[worst]),
        cases=len(cases),
        short=int(short.sum()),
        unsteady=int(unsteady.sum()),
    )


def _describe(case: dict[str, object], names_operator: bool) -> str:
    operator = [str(case["operator"])] if names_operator else []
    family = [str(case["family"])] if "family" in case else []
    size = [str(case["shape"]), f"k = {case['k']}"]
    return ", ".join([*operator, *size, str(case["dtype"]), *family])
