"""How far weights are from the exact ones, on few rows of each path; tools/exactness.py has more."""

from fractions import Fraction

import pytest
import reference
import torch

from tools import exactness

pytestmark = pytest.mark.engine

# Rows of 40 digits take long.
SHORT = [case for case in exactness.CASES if case.length <= (1024 if case.alpha == 2 else 24)]


@pytest.fixture(scope="module")
def results() -> list[exactness.Result]:
    return exactness.measure_all(SHORT)


def test_goals_are_met(results):
    assert [goal for goal in exactness.goals(results) if not goal.is_met] == []


def test_supports_are_large_enough_to_tell(results):
    assert max(result.errors.support for result in results) == 1024


@pytest.mark.parametrize("k", [1, 3, 7])
def test_two_exact_projections_agree(k):
    row = [0.5, -0.0, 2.0**-40, 0.5, 0.25, 1e-30, -3.0]
    weights = exactness.project(row, k)
    expected = reference.exact_projection(row, k)
    assert [weights.get(column, Fraction(0)) for column in range(len(row))] == expected


def test_an_error_is_measured():
    errors = exactness.Errors(torch.finfo(torch.float32).eps)
    logits, unit = torch.tensor([0.5, 0.0, -2.0]), 2.0**-23
    errors.add_row(logits, torch.tensor([0.75 + 3 * unit, 0.25, 0.0]), 3)
    assert errors.in_units(errors.weight) == errors.in_units(errors.row_sum) == 3
    assert (errors.correctly_rounded, errors.kept, errors.support) == (1, 2, 2)
    with pytest.raises(AssertionError, match="outside of the support"):
        errors.add_row(logits, torch.tensor([0.75, 0.0, 0.25]), 3)


def test_table_holds_every_path_and_type():
    written = exactness.TABLE.read_text()
    assert written.startswith(exactness.HEAD)
    for path in {case.path for case in exactness.CASES}:
        for dtype in exactness.DTYPES:
            assert f"| {path} | {str(dtype).removeprefix('torch.')} |" in written
