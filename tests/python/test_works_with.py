"""The table of what works names tests that exist, and the README has it as it was written."""

import pytest

from benchmarks.report import split_at_quotation
from tools.works_with import COMMAND, ROOT, TABLE, Row, Run, load_rows, table, verdict

RUN = Run(
    "2.15.0",
    [
        ("test_a.py::test_one[x]", "passed"),
        ("test_a.py::test_one[y]", "skipped"),
        ("test_a.py::test_other", "skipped"),
        ("Suite.Failing", "failed"),
        ("Suite.Typed<float>", "passed"),
    ],
)


@pytest.mark.parametrize(
    ("tests", "short", "expected"),
    [
        (["test_a.py::test_one"], "", "pass"),
        (["test_a.py"], "", "pass"),
        (["Suite.Typed"], "", "pass"),
        (["test_a.py::test_other"], "", "not run"),
        (["test_a.py::test_one", "test_a.py::test_other"], "", "not run"),
        (["test_a.py::test_one", "Suite.Failing"], "", "failed"),
        (["Suite.Failing"], "known", "failed"),
        (["test_a.py::test_one"], "half of it", "short: half of it"),
        ([], "no test", "short: no test"),
    ],
)
def test_verdict(tests, short, expected):
    assert verdict(Row("item", tests, short), [RUN]) == expected


def test_what_passes_in_one_run_alone_does_not_pass():
    other = Run("2.11.0", [("test_a.py::test_one[x]", "skipped")])
    assert verdict(Row("item", ["test_a.py::test_one"]), [RUN, other]) == "not run"


@pytest.mark.parametrize("name", ["test_a.py::test_on", "Suite", "test_b.py"])
def test_a_test_that_is_not_there_is_an_error(name):
    with pytest.raises(SystemExit, match=f"no test is named {name}"):
        verdict(Row("item", [name]), [RUN])


def test_the_table_has_a_line_for_each_row():
    rows = load_rows()
    passed = Run("2.15.0", [(test, "passed") for row in rows for test in row.tests])
    expected = table(rows, [passed])
    assert expected.count("| pass |") == sum(not row.short for row in rows)
    written = TABLE.read_text()
    assert written.splitlines()[2:] == expected.splitlines()[2:]


def test_the_readme_quotes_the_table():
    _, quoted, _ = split_at_quotation((ROOT / "README.md").read_text(), TABLE.name, COMMAND)
    assert quoted == TABLE.read_text()
