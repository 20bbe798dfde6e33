"""Writes what works, from the reports of test runs: python -m tools.works_with BUILD...

Each BUILD is a folder that `make test` left its reports in. tests/works_with.toml says which tests
show what. The table goes to docs/works_with.md and into the README; and tests/README.md gets the devices
that its tests run on.
"""

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.report import markdown, quote
from tools.collected_tests import TESTS, collect, with_devices

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "tests" / "works_with.toml"
TABLE = ROOT / "docs" / "works_with.md"
COMMAND = "make works-with"


@dataclass(frozen=True)
class Row:
    item: str
    tests: list[str]
    short: str = ""


@dataclass(frozen=True)
class Run:
    """The tests of one build, each with whether it passed, failed or was skipped."""

    torch: str
    outcomes: list[tuple[str, str]]

    @staticmethod
    def load(build: Path) -> "Run":
        reports = [
            ElementTree.parse(build / name).getroot() for name in ("ctest.xml", "pytest.xml")
        ]
        properties = reports[1].iter("property")
        [torch] = [entry.get("value", "") for entry in properties if entry.get("name") == "torch"]
        cases = [case for report in reports for case in report.iter("testcase")]
        return Run(torch, [(_name(case), _outcome(case)) for case in cases])

    def outcomes_of(self, test: str) -> set[str]:
        found = {outcome for name, outcome in self.outcomes if _is_of(name, test)}
        if not found:
            raise SystemExit(f"{ROWS.name}: no test is named {test}")
        return found


def _name(case: ElementTree.Element) -> str:
    """As tests/works_with.toml has it, with the parameters of the test after it."""
    folder, _, module = case.get("classname", "").rpartition(".")
    name = case.get("name", "")
    return f"{module}.py::{name}" if folder == "tests.python" else name


def _outcome(case: ElementTree.Element) -> str:
    children = {child.tag for child in case}
    if children & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in children else "passed"


def _is_of(name: str, test: str) -> bool:
    """Whether a test is one, or one of a file, or one with parameters."""
    rest = name.removeprefix(test)
    return rest != name and (not rest or rest[0] in "[</:")


def verdict(row: Row, runs: list[Run]) -> str:
    outcomes = [run.outcomes_of(test) for run in runs for test in row.tests]
    if any("failed" in found for found in outcomes):
        return "failed"
    if row.short:
        return f"short: {row.short}"
    return "pass" if all("passed" in found for found in outcomes) else "not run"


def load_rows() -> list[Row]:
    rows = [Row(**entry) for entry in tomllib.loads(ROWS.read_text())["rows"]]
    for row in rows:
        if not row.tests and not row.short:
            raise SystemExit(f"{ROWS.name}: nothing shows: {row.item}")
    return rows


def table(rows: list[Row], runs: list[Run]) -> str:
    versions = " and ".join(run.torch for run in runs)
    lines = (
        (number, row.item, "<br>".join(f"`{test}`" for test in row.tests), verdict(row, runs))
        for number, row in enumerate(rows, start=1)
    )
    head = ("", "what", "shown by", "result")
    return f"From test runs with torch {versions}.\n\n{markdown(head, lines)}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.works_with", description=__doc__)
    parser.add_argument("build", type=Path, nargs="+")
    runs = [Run.load(build) for build in parser.parse_args().build]
    TABLE.write_text(table(load_rows(), runs))
    quote(ROOT / "README.md", TABLE, COMMAND)
    readme = TESTS / "README.md"
    readme.write_text(with_devices(readme.read_text(), collect()))


if __name__ == "__main__":
    main()
