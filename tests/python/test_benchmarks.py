"""The parts of the benchmark, without timing anything."""

import math
import subprocess
import sys
from functools import partial

import pandas as pd
import pytest
import torch

import zeta
from benchmarks import summary, switch
from benchmarks.cases import BY_WEIGHTS, SPARSE_SOFTMAX, Case, Pass, Residency
from benchmarks.clocks import WallClock
from benchmarks.contenders import Contender, Contenders
from benchmarks.grid import SUITES, grid, under
from benchmarks.inputs import FAMILIES, NORMAL, make
from benchmarks.machine import facts
from benchmarks.masks import MASKS
from benchmarks.operators import OPERATORS
from benchmarks.pages import Pages, environment, system_setting
from benchmarks.profile import METRICS, cases, markdown_of, parse
from benchmarks.reference import (
    WrongResult,
    check_backward,
    check_compact,
    check_forward,
    weights_of,
)
from benchmarks.report import (
    PROFILED_BY,
    goal_table,
    regime_bandwidths,
    regime_table,
    split_at_quotation,
    write,
)
from benchmarks.results import (
    FOLDER,
    FOLDERS,
    RESULTS,
    Goal,
    Results,
    Selection,
    load_goals,
    load_regimes,
)
from benchmarks.rivals import COMPACT_MAPPINGS, MAPPINGS, MODULES, is_installed, versions
from benchmarks.statistics import any_unsteady, geometric_mean
from benchmarks.timing import Budget, interleaved
from benchmarks.verdicts import judge

pytestmark = pytest.mark.engine

GOAL = Goal("n ≥ 64", "forward into out", "copy_", "length >= 64", at_most=1.1)
HARD = Goal("hard", "forward into out", "copy_", "k == 3", "adversarial", at_most=1.5)
BANDWIDTH = Goal("GB/s", "forward into out", "copy_", "k == 3", at_least=45, measure="GB/s")
# Passes by internal operators, of which sparse_softmax alone is timed.
INTERNAL = (Pass.BACKWARD_OPERATOR, Pass.BOTH_OPERATORS)


def table_of(measured: list[Case], pages: str = "") -> pd.DataFrame:
    """Made-up measurements of these cases, all of them of ratio 1 and 50 GB/s."""
    return pd.DataFrame(
        {
            "suite": case.suite,
            "operator": case.operator,
            "mask": case.mask,
            "operation": str(operation),
            "shape": "x".join(map(str, case.shape)),
            "dim": case.dim,
            "length": case.length,
            "k": case.k,
            "dtype": case.dtype,
            "family": case.family,
            "baseline": baseline,
            "zeta_ms": 2.0,
            "baseline_ms": 2.0,
            "ratio": 1.0,
            "ratio_lower_quartile": 1.0,
            "ratio_upper_quartile": 1.0,
            "gigabytes_per_second": 50.0,
            "pages": pages,
        }
        for case in measured
        for operation, baselines in case.comparisons
        for baseline in baselines
    )


def table_of_grid(kind: str) -> pd.DataFrame:
    """The same of the whole grid, with what is made of it."""
    cases = grid(kind, quick=False)
    if kind != "cpu":
        return table_of(cases)
    policies = [table_of(under(cases, pages), pages) for pages in Pages]
    table = pd.concat([table_of(under(cases, None)), *policies])
    return switch.with_comparison(table)


def small_case(family: str, **changes) -> Case:
    is_sparse_softmax = changes.get("operator", SPARSE_SOFTMAX) == SPARSE_SOFTMAX
    timed = [operation for operation in Pass if is_sparse_softmax or operation not in INTERNAL]
    passes = tuple((operation, ("torch.softmax",)) for operation in timed)
    options = {"shape": (5, 40), "k": 3, "dtype": "float32", "comparisons": passes, **changes}
    return Case(**{"suite": "test", "family": family, **options})


def forward_rows(ratios: dict[str, float], length: int = 64) -> pd.DataFrame:
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "zero_")),)
    measured = [Case("test", (8, length), 3, "float32", family, comparisons) for family in ratios]
    table = table_of(measured)
    table["ratio"] = table["family"].map(ratios)
    return table


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "whole"])
@pytest.mark.parametrize("kind", SUITES)
def test_the_grid_is_well_formed(kind, quick):
    found = grid(kind, quick)
    assert len(set(found)) == len(found)
    assert len(found) < (200 if quick else 1600)
    for case in found:
        assert 1 <= case.k <= case.length
        assert case.family in FAMILIES and case.operator in OPERATORS
        assert case.comparisons and all(baselines for _, baselines in case.comparisons)


@pytest.mark.parametrize("kind", SUITES)
def test_the_quick_grid_holds_every_suite_but_a_spot_check(kind):
    assert {case.suite for case in grid(kind, quick=True)} == set(SUITES[kind]) - {"float16"}


@pytest.mark.parametrize("kind", SUITES)
def test_goals_and_regimes_resolve_to_cases_of_the_grid(kind):
    table = table_of_grid(kind)
    for goal in load_goals(kind):
        assert goal.at_most is None or goal.at_least is None
        chosen = goal.of(table)
        if kind == "cpu":
            assert set(NORMAL) <= set(chosen["family"]) or goal.families != "normal", goal
            assert Pass(goal.operation).allocates == chosen["pages"].ne("").all()
        assert judge(goal, chosen).cases > 0, goal
    for regime in load_regimes(kind):
        assert not regime.of(table).empty, regime
        assert regime.baseline in ("copy_", "clone", "zeros_like")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("k", [1, 3, 40])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_the_check_accepts_the_operator(operator, family, k, dtype):
    case = small_case(family, k=k, dtype=dtype, operator=operator)
    Contenders(case, make(family, case.shape, case.dim, getattr(torch, dtype))).check()


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("operator", OPERATORS)
def test_the_check_takes_the_mask_into_account(operator, mask):
    timed = (Pass.FORWARD_OUT, Pass.FORWARD, Pass.BACKWARD, Pass.COMPACT)
    comparisons = tuple((operation, ("torch.softmax",)) for operation in timed)
    case = small_case("N(0,1)", operator=operator, mask=mask, comparisons=comparisons)
    z = make(case.family, case.shape, case.dim, torch.float32)
    Contenders(case, z).check()
    filled = z.masked_fill(~MASKS[mask](z, case.dim), -torch.inf)
    unmasked = OPERATORS[operator].dense(z, case.k, case.dim)
    with pytest.raises(WrongResult):
        check_forward(filled, unmasked, case.k, case.dim, OPERATORS[operator].alpha)


def test_the_check_accepts_other_dims_and_loops():
    case = small_case("N(0,1)", shape=(4, 30, 6), dim=1)
    Contenders(case, make(case.family, case.shape, case.dim, torch.float32)).check()
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "zero_", "torch.softmax")),)
    case = small_case("N(0,1)", comparisons=comparisons, residency=Residency.CACHE)
    looping = Contenders(case, make(case.family, case.shape, case.dim, torch.float32))
    looping.check()
    looping.contender("copy_", Pass.FORWARD_OUT).function()
    assert torch.equal(looping.out, looping.z)


def test_the_check_refuses_what_is_no_projection():
    z = make("N(0,1)", (5, 40), -1, torch.float32)
    weights = torch.ops.zeta.sparse_softmax(z, 3)
    for wrong in (weights * 0.5, weights.roll(1, dims=1), torch.softmax(z, 1), weights * math.nan):
        with pytest.raises(WrongResult):
            check_forward(z, wrong, 3, -1, 2)
    grad = torch.randn_like(z)
    with pytest.raises(WrongResult):
        check_backward(grad, weights, grad, -1, 2)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("alpha", [1.0, 1.25, 1.5, 2.0])
def test_the_check_refuses_another_alpha_and_a_smaller_k(alpha, dtype):
    z = make("N(0,0.1)", (4, 2000), -1, dtype).requires_grad_()
    for wrong, k in ((alpha - 0.2 if alpha > 1.5 else alpha + 0.2, 2000), (alpha, 3)):
        weights = zeta.ops.entmax(z, wrong, k)
        with pytest.raises(WrongResult):
            check_forward(z.detach(), weights.detach(), 2000, -1, alpha)
        grad = torch.randn_like(z)
        [grad_logits] = torch.autograd.grad(weights, z, grad)
        right = zeta.ops.entmax(z.detach(), alpha)
        with pytest.raises(WrongResult):
            check_backward(grad, right, grad_logits, -1, alpha)


def test_the_check_refuses_what_is_not_the_compact_form():
    z = make("N(0,5)", (5, 40), -1, torch.float32)
    values, indices = zeta.ops.sparse_softmax_compact(z, 4)
    assert values[0, -1] == 0
    check_compact(z, values, indices, 4, -1, 2)
    for wrong in (
        (values.flip(1), indices.flip(1)),
        (values, indices.clamp(min=0)),
        (values, indices.roll(1, dims=0)),
        (values * 0.5, indices),
    ):
        with pytest.raises(WrongResult):
            check_compact(z, *wrong, 4, -1, 2)


def test_the_check_goes_by_the_definition():
    rows = make("N(0,1)", (5, 40), -1, torch.float64)
    close = partial(torch.testing.assert_close, rtol=0, atol=1e-9)
    close(weights_of(rows, 7, 2 - 1e-12), weights_of(rows, 7, 2))
    for alpha in (1.25, 1.5, 2):
        weights = weights_of(rows, 7, alpha)
        close(weights.sum(1), torch.ones(5, dtype=torch.float64))
        of_support = ((alpha - 1) * rows - weights ** (alpha - 1))[weights > 0]
        for thresholds in of_support.split((weights > 0).sum(1).tolist()):
            close(thresholds, thresholds[:1].expand_as(thresholds))


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize(
    ("rival", "k", "alpha"),
    [
        ("topk + scatter", 3, 2),
        ("topk + scatter, compiled", 3, 2),
        ("POT projection", 3, 2),
        ("softmax + topk", 3, 1),
        ("entmax.entmax15", 8, 1.5),
        ("entmax.entmax15(k=100)", 8, 1.5),
    ],
)
def test_rivals_compute_the_same(rival, k, alpha, dim):
    if not is_installed(rival):
        pytest.skip(f"needs {MODULES[rival]}")
    z = torch.randn(8, 8)
    weights = MAPPINGS[rival](z, k, dim)
    rows, expected = weights.movedim(dim, 1), weights_of(z.movedim(dim, 1).double(), k, alpha)
    torch.testing.assert_close(rows.double(), expected, rtol=0, atol=1e-6)


def test_the_versions_of_rivals_are_kept():
    modules = {MODULES[name] for name in MODULES if is_installed(name)}
    assert len(versions()) == len(modules)
    assert versions().items() <= facts("cpu", threads=2).items()


def test_every_contender_runs():
    case = small_case("N(0,1)")
    competing = Contenders(case, make(case.family, case.shape, case.dim, torch.float32))
    baselines = {
        **dict.fromkeys(Pass, ("torch.softmax", "copy_", "clone", "zero_", "zeros_like")),
        **dict.fromkeys(INTERNAL, (BY_WEIGHTS,)),
        Pass.COMPACT: ("copy_", *COMPACT_MAPPINGS),
    }
    for operation in Pass:
        for name in ("zeta", *baselines[operation]):
            competing.contender(name, operation).function()


@pytest.mark.parametrize("operation", INTERNAL)
def test_support_and_weights_have_the_same_gradient(operation):
    case = small_case("N(0,1)")
    competing = Contenders(case, make(case.family, case.shape, case.dim, torch.float32))
    *saved, by_support = competing.contender("zeta", operation).function()
    *_, by_weights = competing.contender(BY_WEIGHTS, operation).function()
    assert saved[1].dtype == torch.int32
    assert torch.equal(by_support, by_weights)


def test_repetitions_keep_within_limits():
    budget = Budget(seconds=1, least=3, most=25, patience=4)
    assert [budget.repetitions(seconds) for seconds in (0.001, 0.1, 10)] == [25, 10, 3]


class MadeUpClock:
    """Says that each call took the next of these seconds, and then the last again."""

    shortest = 0.0

    def __init__(self, *seconds: float) -> None:
        self.seconds_left = list(seconds)

    def seconds(self, function, count: int) -> float:
        return self.seconds_left.pop(0) if len(self.seconds_left) > 1 else self.seconds_left[0]


def test_unsteady_ratios_are_repeated():
    budget = Budget(seconds=0, least=3, most=3, patience=60)
    contenders = [Contender(lambda: None)] * 2
    assert len(interleaved(contenders, budget, MadeUpClock(1.0))) == 3
    # Two calls to warm up; then three rounds with ratios 1, 9 and 1; all others are 1.
    clock = MadeUpClock(1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0)
    repeated = interleaved(contenders, budget, clock)
    assert len(repeated) == 6
    assert not any_unsteady(repeated[:, :1] / repeated[:, 1:])


def test_what_stays_unsteady_is_repeated_until_patience_ends():
    budget = Budget(seconds=0, least=3, most=3, patience=0)
    clock = MadeUpClock(1.0, 1.0, 1.0, 1.0, 1.0, 9.0, 1.0, 1.0, 1.0)
    assert len(interleaved([Contender(lambda: None)] * 2, budget, clock)) == 3


def test_tables_mark_what_is_unsteady():
    table = forward_rows({"N(0,1)": 1.0, "N(0,5)": 1.0})
    table.loc[table["family"] == "N(0,5)", "ratio_upper_quartile"] = 1.31
    assert "| 1, 1 of 1 unsteady | 1, unsteady | 8x64, k = 3, float32 | met |" in goal_table(
        table, [GOAL]
    )
    regime = Selection("all", "forward into out", "copy_", "k == 3")
    assert "| 1, 1 of 2 unsteady |" in regime_table(regime_bandwidths(table, [regime]))
    table["ratio_upper_quartile"] = 1.29
    assert "unsteady" not in goal_table(table, [GOAL])


def test_a_goal_is_met_or_short():
    met = judge(GOAL, forward_rows({"N(0,1)": 1.0, "N(0,5)": 0.8, "N(0,0.1)": 1.2}))
    assert str(met) == "met"
    assert met.measured == pytest.approx((1.0 * 0.8 * 1.2) ** (1 / 3))

    near = forward_rows(dict.fromkeys(NORMAL, 0.5))
    far = forward_rows(dict.fromkeys(NORMAL, 2.0), length=128)
    short = judge(GOAL, pd.concat([near, far]))
    assert str(short) == "short in 1 of 2"
    assert (short.measured, short.worst) == (pytest.approx(1), pytest.approx(2))
    assert short.worst_case == "8x128, k = 3, float32"

    assert str(judge(GOAL, GOAL.of(forward_rows({"equal": 1.0})))) == "not measured"


def test_difficult_families_count_each_for_itself():
    table = forward_rows({"equal": 1.0, "ascending": 1.6, "N(0,1)": 9.0})
    verdict = judge(HARD, HARD.of(table))
    assert str(verdict) == "short in 1 of 2"
    assert verdict.worst_case.endswith("ascending")


def test_operators_of_one_goal_are_told_apart():
    slow = forward_rows(dict.fromkeys(NORMAL, 2.0)).assign(operator="topk_softmax")
    verdict = judge(GOAL, pd.concat([forward_rows(dict.fromkeys(NORMAL, 1.0)), slow]))
    assert str(verdict) == "short in 1 of 2"
    assert verdict.worst_case == "topk_softmax, 8x64, k = 3, float32"


def test_a_goal_for_bandwidth_is_a_least_one():
    table = forward_rows(dict.fromkeys(NORMAL, 1.0))
    assert str(judge(BANDWIDTH, table)) == "met"
    assert str(judge(BANDWIDTH, table.assign(gigabytes_per_second=40.0))) == "short in 1 of 1"


def test_the_table_marks_what_is_short():
    lines = goal_table(table_of_grid("cpu"), load_goals("cpu")).splitlines()
    short = [line for line in lines if "| short in" in line]
    assert len(short) == sum("≤ 0." in line or "≥ 100" in line for line in lines)


def test_a_goal_holds_for_each_kind_of_pages():
    allocating = Goal("new", "forward", "clone", "k == 3", at_most=1.1)
    cases = [small_case("N(0,1)", comparisons=((Pass.FORWARD, ("clone",)),))]
    huge, ordinary = (table_of(cases, pages) for pages in (Pages.HUGE, Pages.ORDINARY))
    table = goal_table(pd.concat([huge.assign(ratio=2.0), ordinary]), [allocating])
    [first, second] = table.splitlines()[2:]
    assert first.startswith("| new, huge pages |") and first.endswith("| short in 1 of 1 |")
    assert second.startswith("| new, ordinary pages |") and second.endswith("| met |")


def test_the_switch_is_held_against_itself():
    cases = [small_case("N(0,1)", suite=switch.SUITE, comparisons=((Pass.FORWARD, ("clone",)),))]
    on, off = (table_of(cases, pages) for pages in (Pages.ZETA_HUGE, Pages.ORDINARY))
    on = on.assign(ratio=0.5, ratio_lower_quartile=0.4, ratio_upper_quartile=0.6)
    off = off.assign(zeta_ms=8.0, ratio=2.0, ratio_lower_quartile=2.0, ratio_upper_quartile=2.0)
    assert switch.compare(on).empty and switch.compare(off).empty
    [row] = switch.compare(pd.concat([off, on])).to_dict("records")
    assert (row["zeta_ms"], row["baseline_ms"], row["ratio"]) == (2.0, 8.0, 0.25)
    assert (row["ratio_lower_quartile"], row["ratio_upper_quartile"]) == (0.2, 0.3)
    goal = Goal("switch", "forward", switch.BASELINE, "k == 3")
    verdict = judge(goal, switch.compare(pd.concat([off, on])))
    assert (verdict.measured, str(verdict)) == (pytest.approx(0.25), "no goal")


def test_every_pass_is_measured_where_it_should_be():
    cases = grid("cpu", quick=False)
    assert not any(pair[0].allocates for case in under(cases, None) for pair in case.comparisons)
    suites = {pages: {case.suite for case in under(cases, pages)} for pages in Pages}
    assert suites[Pages.ORDINARY] == suites[Pages.HUGE] | {switch.SUITE}
    assert suites[Pages.ZETA_HUGE] == {switch.SUITE}
    assert suites[Pages.HUGE] == {
        *("passes", "libraries", "dimensions", "small"),
        *("gradients", "routers", "entmax", "masks"),
    }


# Prints whether huge pages were asked for under torch's new memory, and under zeta's result.
ASKED_FOR = """
import torch, zeta

def is_asked_for(tensor):
    middle = tensor.data_ptr() + tensor.nbytes // 2
    is_inside = False
    for line in open("/proc/self/smaps"):
        first, *others = line.split()
        if "-" in first:
            begin, end = (int(bound, 16) for bound in first.split("-"))
            is_inside = begin <= middle < end
        elif first == "VmFlags:" and is_inside:
            return "hg" in others

z = torch.empty(1 << 14, 1 << 10)
print(is_asked_for(z), is_asked_for(torch.ops.zeta.sparse_softmax(z.zero_())))
"""


@pytest.mark.skipif(system_setting() != "madvise", reason="the system decides which pages are huge")
@pytest.mark.parametrize(
    ("pages", "expected"),
    [(Pages.HUGE, "True True"), (Pages.ORDINARY, "False False"), (Pages.ZETA_HUGE, "False True")],
)
def test_a_policy_decides_the_pages(pages, expected):
    command = [sys.executable, "-c", ASKED_FOR]
    run = subprocess.run(
        command, check=True, env=environment(pages), stdout=subprocess.PIPE, text=True
    )
    assert run.stdout.strip() == expected


def test_results_are_read_as_they_were_written(tmp_path):
    table = forward_rows({"N(0,1)": 1.25, "N(0,5)": 1.5})
    table.loc[1, "pages"] = "huge"
    saved = Results("cpu", table, {"cpu": "a processor", "cores": "2"})
    saved.save(tmp_path)
    loaded = Results.load("cpu", tmp_path)
    assert loaded.machine == saved.machine
    pd.testing.assert_frame_equal(loaded.measurements, saved.measurements, check_dtype=False)


@pytest.mark.parametrize("column", ["operator", "mask", "pages"])
def test_results_kept_before_a_column_was_are_read(column, tmp_path):
    table = forward_rows({"N(0,1)": 1.25})
    table.insert(len(table.columns) - 1, column, table.pop(column))
    Results("cpu", table.drop(columns=column), {"cpu": "a processor"}).save(tmp_path)
    loaded = Results.load("cpu", tmp_path).measurements
    pd.testing.assert_frame_equal(loaded, table, check_dtype=False)


def test_a_second_run_of_the_same_build_is_shown(tmp_path):
    fast = forward_rows(dict.fromkeys(NORMAL, 1.0)).assign(suite="forward", baseline_ms=1.0)
    slow, machine = fast.assign(baseline_ms=2.0), Results.load("cpu", RESULTS).machine
    Results("cpu", slow, machine).save(tmp_path)
    run = Results.load("cpu", tmp_path)
    write(run, tmp_path)
    text = (tmp_path / "cpu.md").read_text()
    assert "A copy ran at 50 GB/s. No other speed of memory was seen" in text
    assert "second run" not in text

    Results("cpu", fast, machine).save(tmp_path / "second")
    write(run, tmp_path)
    text = (tmp_path / "cpu.md").read_text()
    assert "A copy ran at 50 GB/s, in the second run of the same build at 100." in text
    assert "| second run | its verdict |" in text and "| met | 1 | met |" in text

    Results("cpu", fast, machine | {"zeta_build": "another"}).save(tmp_path / "second")
    write(run, tmp_path)
    assert "second run" not in (tmp_path / "cpu.md").read_text()


def test_what_was_not_measured_is_called_so(tmp_path):
    results = Results.load("cuda", tmp_path)
    write(results, tmp_path)
    text = (tmp_path / "cuda.md").read_text()
    assert text.startswith("Not measured") and text.count("| not measured |") == len(
        load_goals("cuda")
    )


def test_a_goal_may_be_a_difference():
    goal = Goal("µs", "forward into out", "copy_", "k == 3", at_most=2.0, measure="µs beyond")
    table = forward_rows(dict.fromkeys(NORMAL, 1.0)).assign(zeta_ms=0.005, baseline_ms=0.006)
    assert judge(goal, table).measured == pytest.approx(-1)
    assert str(judge(goal, table)) == "met"
    assert str(judge(goal, table.assign(zeta_ms=0.009))) == "short in 1 of 1"


def test_a_clock_tells_the_time_of_all_calls():
    calls = []
    assert WallClock().seconds(lambda: calls.append(0), 3) > 0
    assert len(calls) == 3


def test_geometric_mean():
    assert geometric_mean(pd.Series([1.0, 4.0])) == pytest.approx(2)


def test_profile_is_read_from_what_the_profiler_prints():
    metrics = list(METRICS.values())
    values = {metric: "1,000" for metric in metrics}
    lines = [
        "==PROF== Connected to process 7",
        ",".join(f'"{name}"' for name in ("ID", "Kernel Name", *metrics)),
        ",".join('""' for _ in range(2 + len(metrics))),
    ]
    for number, _ in enumerate(cases()):
        name = "void forward_block_kernel<SparseSoftmax, float>(RowGeometry<3>)"
        lines.append(",".join(f'"{cell}"' for cell in (number, name, *values.values())))
    table = parse("\n".join(lines))
    assert set(table["kernel"]) == {"forward_block"}
    assert table["microseconds"].eq(1).all()
    assert table["instructions"][0] == 1000 * 32 / (128 << 20) * 4
    assert markdown_of(table).count("| the result before, 100 % |") == len(cases())
    with pytest.raises(SystemExit, match="expected a kernel for each of"):
        parse("\n".join(lines[:-1]))


@pytest.mark.parametrize(
    ("document", "source", "command"),
    [
        (FOLDER / "README.md", RESULTS / "regimes.md", "make bench"),
        (FOLDER / "README.md", RESULTS / "engine.md", "make bench"),
        (FOLDER / "README.md", RESULTS / "calls.md", "make bench-calls"),
        (FOLDER / "README.md", FOLDERS["cuda"] / "cuda_regimes.md", "make bench"),
        (FOLDER / "README.md", FOLDERS["cuda"] / "profile.md", PROFILED_BY),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_documents_quote_the_results(document, source, command):
    _, quoted, _ = split_at_quotation(document.read_text(), source.name, command)
    assert quoted == source.read_text()


def test_the_readme_has_the_table_of_the_kept_results():
    kept = [Results.load(device, folder) for device, folder in FOLDERS.items()]
    text = summary.README.read_text()
    _, table, _ = split_at_quotation(text, summary.NAME, summary.COMMAND)
    assert table == summary.summary(kept), f"{summary.COMMAND} writes it again"


def test_a_line_of_the_readmes_table():
    passes = ((Pass.FORWARD_OUT, ("copy_",)), (Pass.FORWARD, ("entmax.entmax15",)))
    both = [
        Case("x", shape, 32, "float32", "N(0,1)", passes, operator="entmax15")
        for shape in ((4, 1024), (1, 4096))
    ]
    table = pd.concat([table_of(both[:1]), table_of(both[1:]).assign(zeta_ms=9.0, ratio=4.0)])
    apart = table.assign(zeta_ms=100.0, ratio=100.0)
    others = [apart.assign(**{name: "another"}) for name in ("operator", "dtype", "family")]
    others += [apart.assign(dim=0), apart.assign(pages=Pages.ORDINARY)]
    run = Results("cpu", pd.concat([table, *others]), {})
    lines = summary.summary([run]).splitlines()
    assert lines[0] == "CPU: not measured."
    assert lines[-1] == "| CPU | `entmax15` | 2 | 1 | not measured | `entmax.entmax15`: 2 |"
    nothing = ("CPU", "`topk_softmax`", *["not measured"] * 3, "`softmax + topk`: not measured")
    assert lines[-2] == f"| {' | '.join(nothing)} |"
