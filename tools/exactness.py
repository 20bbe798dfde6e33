"""Writes how far weights are from the exact ones, to docs/exactness.md: python -m tools.exactness"""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import mpmath  # type: ignore[import-untyped]
import torch
from torch import Tensor

import zeta
from benchmarks.report import markdown

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "exactness.md"
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
WIDE = (torch.float32, torch.float64)
HEAD = """# How exact the weights are

Written by `python -m tools.exactness`, which computes rows of normal logits in integers too, and those
of members other than `sparse_softmax` with 40 digits. Errors are in units of the last place of 1, the
largest weight that there is. A weight is correctly rounded if no number of its dtype is nearer to the
exact one. Other devices and instruction sets give the same bits.

Of a million entries each weight is about 1e-6: in float32 as small as the integers' last place, in
float16 below the normal numbers, so that correct rounding alone moves the sum of such a row.
"""


@dataclass(frozen=True)
class Case:
    """Rows of sparse_softmax that one path of the CPU's engine takes, of which CONTRIBUTING.md says
    which, or of another member of the family."""

    path: str
    rows: int
    length: int
    k: int
    scales: tuple[float, ...] = (0.01, 0.3, 3.0)  # of normal logits
    dim: int = 1
    alpha: float = 2


CASES = (
    Case("lanes", 50, 8, 3),
    Case("lanes", 50, 512, 3),
    Case("sorted", 50, 24, 24),
    Case("group", 10, 1000, 32),
    Case("group", 5, 1024, 1024, (0.0, 1e-4, 0.01)),
    Case("row", 2, 20_000, 1000, (1e-4, 0.01, 1.0)),
    Case("split row", 1, 300_000, 64, (0.01, 1.0)),
    Case("another dim", 20, 300, 30, dim=0),
    Case("long support", 1, 1_000_000, 1_000_000, (1e-6,)),
    *(
        Case(f"entmax {alpha:g}" if alpha > 1 else "topk_softmax", *shape, alpha=alpha)
        for alpha in (1.0, 1.01, 1.25, 1.5, 1.99)
        for shape in ((20, 24, 24), (5, 1000, 32), (1, 1024, 1024))
    ),
)


@dataclass
class Errors:
    """Of the weights of some rows, in units of the last place of 1, which is the largest weight."""

    unit: float
    weight: Fraction = Fraction(0)
    row_sum: Fraction = Fraction(0)
    support: int = 0
    kept: int = 0
    correctly_rounded: int = 0

    def add_row(self, logits: Tensor, weights: Tensor, k: int, alpha: float = 2) -> None:
        exact = exact_weights(logits.double().tolist(), k, alpha)
        computed = weights.double()
        if set(computed.nonzero().flatten().tolist()) - set(exact):
            raise AssertionError("an entry outside of the support has a weight")
        columns = sorted(
            column for column, weight in exact.items() if weight > 0 or computed[column] > 0
        )
        below, above = neighbours(weights[columns])
        found = computed[columns].tolist()
        for column, value, low, high in zip(columns, found, below, above, strict=True):
            error = abs(Fraction(value) - exact[column])
            nearest = min(abs(Fraction(low) - exact[column]), abs(Fraction(high) - exact[column]))
            self.weight = max(self.weight, error)
            self.correctly_rounded += error <= nearest
        self.kept += len(columns)
        self.support = max(self.support, len(columns))
        self.row_sum = max(self.row_sum, abs(sum(map(Fraction, found)) - 1))

    def in_units(self, error: Fraction) -> float:
        return float(error / Fraction(self.unit))


def exact_weights(logits: list[float], k: int, alpha: float) -> dict[int, Fraction]:
    """The weights of the support, by column, and perhaps some that are 0."""
    if alpha == 2:
        return project(logits, k)
    order = sorted(range(len(logits)), key=lambda column: (-logits[column], column))[:k]
    with mpmath.workdps(40):
        largest = [mpmath.mpf(logits[column]) - logits[order[0]] for column in order]
        weights = softmax(largest) if alpha == 1 else entmax(largest, alpha)
        return {column: as_fraction(weight) for column, weight in zip(order, weights, strict=True)}


def softmax(logits: list[mpmath.mpf]) -> list[mpmath.mpf]:
    powers = [mpmath.exp(logit) for logit in logits]
    total = mpmath.fsum(powers)
    return [power / total for power in powers]


def entmax(logits: list[mpmath.mpf], alpha: float) -> list[mpmath.mpf]:
    """Of logits less their maximum, by Newton's method, which doubles the digits at each step."""
    b = mpmath.mpf(alpha) - 1
    threshold = mpmath.mpf(-1)
    while True:
        bases = [max(b * logit - threshold, mpmath.mpf(0)) for logit in logits]
        weights = [base ** (1 / b) if base > 0 else base for base in bases]
        slopes = [base ** (1 / b - 1) for base in bases if base > 0]
        step = (mpmath.fsum(weights) - 1) * b / mpmath.fsum(slopes)
        if abs(step) < mpmath.mpf(10) ** -35:
            return weights
        threshold += step


def as_fraction(number: mpmath.mpf) -> Fraction:
    mantissa, exponent = number.man_exp
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def project(logits: list[float], k: int) -> dict[int, Fraction]:
    """The weights of the support, by column, from sums of integers."""
    ratios = [logit.as_integer_ratio() for logit in logits]
    scale = max(denominator for _, denominator in ratios)
    integers = [numerator * (scale // denominator) for numerator, denominator in ratios]
    order = sorted(range(len(integers)), key=lambda column: (-integers[column], column))[:k]
    total, support, support_total = 0, 0, 0
    for size, column in enumerate(order, start=1):
        total += integers[column]
        if size * integers[column] > total - scale:
            support, support_total = size, total
    return {
        column: Fraction(support * integers[column] - support_total + scale, support * scale)
        for column in order[:support]
    }


def neighbours(weights: Tensor) -> tuple[list[float], list[float]]:
    """The numbers of the dtype that lie next to each weight."""
    ends = (torch.full_like(weights, end) for end in (-torch.inf, torch.inf))
    below, above = (torch.nextafter(weights, end).double().tolist() for end in ends)
    return below, above


def measure(cases: Iterable[Case], dtype: torch.dtype) -> Errors:
    generator = torch.Generator().manual_seed(0)
    errors = Errors(torch.finfo(dtype).eps)
    for case in cases:
        for scale in case.scales:
            shape = (case.rows, case.length) if case.dim else (case.length, case.rows)
            z = (torch.randn(shape, generator=generator, dtype=torch.float64) * scale).to(dtype)
            weights = zeta.ops.entmax(z, case.alpha, case.k, case.dim)
            for row, row_weights in zip(
                z.unbind(1 - case.dim), weights.unbind(1 - case.dim), strict=True
            ):
                errors.add_row(row, row_weights, case.k, case.alpha)
    return errors


@dataclass(frozen=True)
class Result:
    path: str
    dtype: torch.dtype
    errors: Errors
    alpha: float


def measure_all(cases: Iterable[Case] = CASES) -> list[Result]:
    paths: dict[str, list[Case]] = {}
    for case in cases:
        paths.setdefault(case.path, []).append(case)
    return [
        Result(path, dtype, measure(of_path, dtype), of_path[0].alpha)
        for path, of_path in paths.items()
        for dtype in DTYPES
    ]


@dataclass(frozen=True)
class Goal:
    what: str
    bound: str
    measured: str
    is_met: bool


def goals(results: list[Result]) -> list[Goal]:
    others = [result for result in results if result.alpha != 2]
    double = torch.float64
    of_others = max(_worst(result) for result in others if result.dtype != double)
    of_others_in_double = max(_worst(result) for result in others if result.dtype == double)
    short = [result for result in results if result.alpha == 2 and result.errors.support <= 1024]
    wide = [result.errors for result in short if result.dtype in WIDE]
    half = [result.errors for result in short if result.dtype not in WIDE]
    weight = max(errors.in_units(errors.weight) for errors in wide)
    share = sum(errors.correctly_rounded for errors in half) / sum(errors.kept for errors in half)
    row_sum = max(result.errors.in_units(result.errors.row_sum) for result in short)
    return [
        Goal("weights in float32 and float64", "≤ 2 ulp of 1", f"{weight:.3g}", weight <= 2),
        Goal(
            "weights in half types, correctly rounded", "≥ 99.9 %", f"{share:.4%}", share >= 0.999
        ),
        Goal("sums of rows", "≤ 4 ulp of 1", f"{row_sum:.3g}", row_sum <= 4),
        Goal(
            "weights of other members in float32 and half types",
            "≤ 1 ulp of 1",
            f"{of_others:.3g}",
            of_others <= 1,
        ),
        Goal(
            "weights of other members in float64",
            "≤ 4 ulp of 1",
            f"{of_others_in_double:.3g}",
            of_others_in_double <= 4,
        ),
    ]


def _worst(result: Result) -> float:
    return result.errors.in_units(result.errors.weight)


def goal_table(results: list[Result]) -> str:
    head = ("supports up to 1024", "goal", "measured", "verdict")
    return markdown(
        head,
        (
            (goal.what, goal.bound, goal.measured, "met" if goal.is_met else "short")
            for goal in goals(results)
        ),
    )


def path_table(results: list[Result]) -> str:
    head = (
        "path or member",
        "dtype",
        "largest support",
        "weight",
        "correctly rounded",
        "sum of a row",
    )
    return markdown(head, map(_path_line, results))


def _path_line(result: Result) -> tuple[object, ...]:
    errors = result.errors
    return (
        result.path,
        str(result.dtype).removeprefix("torch."),
        errors.support,
        f"{errors.in_units(errors.weight):.3g}",
        f"{errors.correctly_rounded} of {errors.kept}",
        f"{errors.in_units(errors.row_sum):.3g}",
    )


def main() -> None:
    argparse.ArgumentParser(prog="python -m tools.exactness", description=__doc__).parse_args()
    results = measure_all()
    print(goal_table(results))
    TABLE.write_text(f"{HEAD}\n{goal_table(results)}\n{path_table(results)}")
    if not all(goal.is_met for goal in goals(results)):
        raise SystemExit(f"a goal is short: {TABLE}")


if __name__ == "__main__":
    main()
