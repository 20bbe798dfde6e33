"""The table of what works is made of results that are kept, and cites what exists."""

import json

import pytest

from tools.collected_tests import collect, devices_of
from tools.deep_tests import STEPS, Result
from tools.test_runs import OUTCOMES, Run, load_kept, load_runs, replace
from tools.works_with import COMMAND, TABLE, Row, load_rows, load_steps, table, verdict

pytestmark = pytest.mark.engine

TESTS_MADE_UP = {
    "test_a.py::test_both": {"CPU", "CUDA"},
    "test_a.py::test_cpu": {"CPU"},
    "test_b.py::test_cuda": {"CUDA"},
    "Suite.Typed": {"CPU"},
}
GPU_REPORT = """
Written by `make gpu-check` on 2026-11-27, of v0.1.0-3-g869d4d8.

Machine: NVIDIA H200, 580.159.04; torch 2.11.0+cu130; nvcc 13.0.
"""


def run_of(device="CPU", torch="2.15.0", commit="abc", **counts):
    outcomes = {outcome: counts.get(outcome.replace(" ", "_"), {}) for outcome in OUTCOMES}
    return Run(device, "", torch, "2026-11-28", commit, outcomes)


@pytest.mark.parametrize(
    ("cited", "counts", "expected"),
    [
        (["test_a.py::test_cpu"], {"passed": {"test_a.py::test_cpu": 2}}, "pass"),
        (["test_a.py::test_cpu"], {"skipped": {"test_a.py::test_cpu": 2}}, "not run"),
        (["test_a.py::test_cpu"], {"failed": {"test_a.py::test_cpu": 1}}, "**failed**"),
        (["test_a.py::test_cpu"], {}, "not run"),
        (
            ["test_a.py::test_cpu", "Suite.Typed"],
            {"passed": {"test_a.py::test_cpu": 2}, "failed": {"Suite.Typed": 1}},
            "**failed**",
        ),
        (
            ["test_a.py::test_cpu", "Suite.Typed"],
            {"passed": {"test_a.py::test_cpu": 2}},
            "not run",
        ),
        (
            ["test_a.py"],
            {
                "passed": {"test_a.py": 7},
                "skipped": {"test_a.py": 1},
                "known_to_fail": {"test_a.py": 2},
            },
            "pass, 1 skipped, 2 known to fail",
        ),
        (
            ["test_a.py::test_cpu", "test_b.py::test_cuda"],
            {"passed": {"test_a.py::test_cpu": 1}},
            "pass (1 of 2)",
        ),
        (["test_b.py::test_cuda"], {}, "–"),
    ],
)
def test_verdict_on_a_device(cited, counts, expected):
    assert verdict(Row("item", cited), "CPU", run_of(**counts), TESTS_MADE_UP) == expected


def test_what_was_not_run_on_a_device_does_not_pass_there():
    row = Row("item", ["test_a.py::test_both"])
    assert verdict(row, "CUDA", None, TESTS_MADE_UP) == "not run"


def test_the_table_says_what_failed_and_what_was_not_run():
    rows = [Row("item", ["test_a.py::test_both"], steps=["thread", "fuzz"], missing="much")]
    runs = [
        run_of(failed={"test_a.py::test_both": 1}),
        run_of("CUDA", torch="2.9.0+cu130", passed={"test_a.py::test_both": 1}),
    ]
    steps = {"thread": Result(False, "2026-11-26", "abc", 3, [])}
    lines = table(rows, runs, steps, TESTS_MADE_UP).splitlines()
    assert "| CUDA | 2.15.0 | not run |  |" in lines
    head, line = lines[-3], lines[-1]
    assert head.endswith("| CPU, 2.15.0 | CPU, 2.9.0 | CUDA, 2.15.0 | CUDA, 2.9.0 | missing |")
    assert line.endswith("| **failed** | not run | not run | pass | much |")
    assert "ONLY=thread`: **failed** on 2026-11-26, of abc<br>" in line
    assert "ONLY=fuzz`: not run |" in line


def report(*cases, properties=""):
    described = "".join(
        f'<testcase classname="{folder}" name="{name}">{outcome}</testcase>'
        for folder, name, outcome in cases
    )
    return (
        '<testsuites><testsuite timestamp="2026-11-28T01:02:03">'
        f"<properties>{properties}</properties>{described}</testsuite></testsuites>"
    )


OF_A = "tests.python.test_a"
OF_PYTHON = report(
    (OF_A, "test_both[cpu-1]", ""),
    (OF_A, "test_both[fake cuda-1]", ""),
    (OF_A, "test_both[cuda-1]", '<skipped type="pytest.skip"/>'),
    (OF_A, "test_cpu[cuda]", '<skipped type="pytest.xfail"/>'),
    ("tests.python.test_b", "test_cuda", "<failure/>"),
    properties='<property name="torch" value="2.15.0+cu132"/><property name="commit" value="abc"/>',
)
OF_CPP = report(("", "Suite.Typed&lt;float&gt;", ""), ("", "Suite.Typed&lt;double&gt;", ""))
CITED = [*TESTS_MADE_UP, "built with -std=c++20 -Werror"]


def test_reports_of_make_test(tmp_path):
    (tmp_path / "pytest.xml").write_text(OF_PYTHON)
    (tmp_path / "ctest.xml").write_text(OF_CPP)
    commands = [
        {"file": "/csrc/a.cpp", "command": "c++ -std=c++20 -Werror a.cpp"},
        {"file": "/csrc/b.cpp", "command": "c++ -std=c++20 -Werror=format b.cpp"},
        {"file": "/tests/c.cpp", "command": "c++ c.cpp"},
    ]
    (tmp_path / "compile_commands.json").write_text(json.dumps(commands))
    cpu, cuda = load_runs(tmp_path, CITED, TESTS_MADE_UP)
    assert (cpu.device, cpu.torch, cpu.day, cpu.commit) == (
        *("CPU", "2.15.0+cu132", "2026-11-28", "abc"),
    )
    assert cpu.outcomes == {
        "failed": {"built with -std=c++20 -Werror": 1},
        "passed": {
            "test_a.py::test_both": 2,
            "Suite.Typed": 2,
            "built with -std=c++20 -Werror": 1,
        },
        "skipped": {},
        "known to fail": {"test_a.py::test_cpu": 1},
    }
    assert cuda.device == "CUDA"
    assert cuda.outcomes["skipped"] == {"test_a.py::test_both": 1}
    assert cuda.outcomes["failed"] == {"test_b.py::test_cuda": 1}


def test_skipped_tests_are_no_run(tmp_path):
    (tmp_path / "cuda.xml").write_text(OF_PYTHON.replace("<failure/>", "<skipped/>"))
    (tmp_path / "report.md").write_text(GPU_REPORT)
    assert list(load_runs(tmp_path, CITED, TESTS_MADE_UP)) == []


def test_report_of_make_gpu_check(tmp_path):
    (tmp_path / "report.md").write_text(GPU_REPORT)
    (tmp_path / "cuda.xml").write_text(OF_PYTHON)
    [run] = load_runs(tmp_path, CITED, TESTS_MADE_UP)
    found = (run.device, run.gpu, run.torch, run.day, run.commit)
    expected = ("CUDA", "NVIDIA H200", "2.11.0+cu130", "2026-11-27", "v0.1.0-3-g869d4d8")
    assert found == expected


def test_a_folder_without_a_report_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="there is no .*pytest.xml"):
        list(load_runs(tmp_path, CITED, TESTS_MADE_UP))


def test_a_new_run_takes_the_place_of_its_kind_alone():
    kept = [run_of(), run_of(torch="2.11.0"), run_of("CUDA")]
    new = run_of(torch="2.15.0+cu132", commit="new")
    assert replace(kept, [new]) == [kept[1], new, kept[2]]


def test_rows_cite_what_exists():
    tests = collect()
    rows = load_rows()
    assert [name for row in rows for name in row.tests if not devices_of(name, tests)] == []
    assert {name for row in rows for name in row.steps} <= {step.name for step in STEPS}


def test_the_table_is_that_of_the_kept_results():
    assert TABLE.read_text() == table(load_rows(), load_kept(), load_steps(), collect()), (
        f"{COMMAND} writes {TABLE.name} again"
    )
