"""Writes what works, from the reports of test runs: python -m tools.works_with [FOLDER...]

Each FOLDER is one that `make test` or `make gpu-check` left its reports in. tests/works_with.toml says
which tests show what. Of other devices and versions of torch the last results stay, which are kept in
tests/works_with_results.json. The table is docs/works_with.md; and tests/README.md gets the devices that
its tests run on.
"""

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.report import markdown
from tools.collected_tests import ROOT, TESTS, Devices, collect, devices_of, with_devices
from tools.deep_tests import RESULTS, Result
from tools.test_runs import BUILD, Run, keep, load_kept, load_runs, replace

ROWS = TESTS / "works_with.toml"
TABLE = ROOT / "docs" / "works_with.md"
COMMAND = "make works-with"
DEVICES = ("CPU", "CUDA")
LEGEND = (
    'A result is that of the row\'s tests which run on the device: "pass (1 of 2)" if one of two does, '
    '"–" if none does, and "not run" if one that does has no result.'
)
OTHERS = ("skipped", "known to fail")  # outcomes that are counted beside those that passed


@dataclass(frozen=True)
class Row:
    item: str
    tests: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)  # of make test-deep
    missing: str = ""
    compiled_with: str = ""  # words that every command of the build has

    @property
    def cited(self) -> list[str]:
        return [*self.tests, *([f"{BUILD}{self.compiled_with}"] if self.compiled_with else [])]


def load_rows() -> list[Row]:
    rows = [Row(**entry) for entry in tomllib.loads(ROWS.read_text())["rows"]]
    for row in rows:
        if not (row.cited or row.steps or row.missing):
            raise SystemExit(f"{ROWS.name}: nothing shows: {row.item}")
    return rows


def load_steps() -> dict[str, Result]:
    return {name: Result(**kept) for name, kept in json.loads(RESULTS.read_text()).items()}


def verdict(row: Row, device: str, run: Run | None, tests: Devices) -> str:
    cited = [name for name in row.cited if device in _devices(name, tests)]
    if not cited:
        return "–"
    if run and any(run.count("failed", name) for name in cited):
        return "**failed**"
    if not run or not all(run.count("passed", name) for name in cited):
        return "not run"
    part = f" ({len(cited)} of {len(row.cited)})" if len(cited) < len(row.cited) else ""
    others = ((outcome, sum(run.count(outcome, name) for name in cited)) for outcome in OTHERS)
    return ", ".join([f"pass{part}", *(f"{count} {outcome}" for outcome, count in others if count)])


def _devices(name: str, tests: Devices) -> set[str]:
    return {"CPU"} if name.startswith(BUILD) else devices_of(name, tests)


def table(rows: list[Row], runs: list[Run], steps: dict[str, Result], tests: Devices) -> str:
    by_place = {(run.device, run.version): run for run in runs}
    versions = sorted({run.version for run in runs}, key=_numbers, reverse=True)
    places = [(device, version) for device in DEVICES for version in versions]
    ran = [_description(*place, by_place.get(place)) for place in places]
    head = (
        "",
        "what",
        "shown by",
        *(f"{device}, {version}" for device, version in places),
        "missing",
    )
    lines = (
        (
            number,
            row.item,
            "<br>".join(_shown_by(row, steps)),
            *(verdict(row, place[0], by_place.get(place), tests) for place in places),
            row.missing,
        )
        for number, row in enumerate(rows, start=1)
    )
    of_runs = markdown(("device", "torch", "date", "commit"), ran)
    return f"{of_runs}\n{LEGEND}\n\n{markdown(head, lines)}"


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _description(device: str, version: str, run: Run | None) -> tuple[str, ...]:
    if not run:
        return device, version, "not run", ""
    return f"{device} {run.gpu}".strip(), run.torch, run.day, run.commit


def _shown_by(row: Row, steps: dict[str, Result]) -> Iterator[str]:
    yield from (f"`{test}`" for test in row.tests)
    if row.compiled_with:
        yield f"each command that compiles the library has `{row.compiled_with}`"
    for name in row.steps:
        yield f"`make test-deep ONLY={name}`: {_said(steps.get(name))}"


def _said(step: Result | None) -> str:
    if not step:
        return "not run"
    return f"{'pass' if step.passed else '**failed**'} on {step.day}, of {step.commit}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.works_with", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="*")
    folders = parser.parse_args().folder
    tests, rows = collect(), load_rows()
    cited = sorted({name for row in rows for name in row.cited})
    new = [run for folder in folders for run in load_runs(folder, cited, tests)]
    runs = replace(load_kept(), new)
    keep(runs)
    TABLE.write_text(table(rows, runs, load_steps(), tests))
    readme = TESTS / "README.md"
    readme.write_text(with_devices(readme.read_text(), tests))


if __name__ == "__main__":
    main()
