"""Runs of the tests, and what of them is kept in tests/works_with_results.json."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from tools.collected_tests import ROOT, Devices, devices_of, is_of

KEPT = ROOT / "tests" / "works_with_results.json"
OUTCOMES = ("failed", "passed", "skipped", "known to fail")
BUILD = "built with "  # begins the name of a build's check: these words are in its every command


@dataclass(frozen=True)
class Case:
    """A test with one choice of parameters, or a command of the build."""

    name: str
    device: str
    outcome: str


@dataclass(frozen=True)
class Run:
    """What the tests that are cited said on one device with one version of torch."""

    device: str
    gpu: str
    torch: str
    day: str
    commit: str
    # For each outcome how many cases of each test had it.
    outcomes: dict[str, dict[str, int]]

    @property
    def version(self) -> str:
        return self.torch.partition("+")[0]

    def count(self, outcome: str, test: str) -> int:
        return self.outcomes[outcome].get(test, 0)


def load_kept() -> list[Run]:
    return [Run(**run) for run in json.loads(KEPT.read_text())]


def keep(runs: Iterable[Run]) -> None:
    text = json.dumps([asdict(run) for run in runs], indent=2, ensure_ascii=False)
    KEPT.write_text(f"{text}\n")


def replace(runs: Iterable[Run], new: Iterable[Run]) -> list[Run]:
    """A new run takes the place of that on the same device with the same version of torch."""
    by_place = {(run.device, run.version): run for run in [*runs, *new]}
    return [by_place[place] for place in sorted(by_place)]


def load_runs(folder: Path, cited: Iterable[str], tests: Devices) -> Iterator[Run]:
    """Of a folder where `make test` or `make gpu-check` left reports: a run for each device.

    A device whose tests were all skipped is one that the machine does not have.
    """
    is_gpu_check = (folder / "cuda.xml").exists()
    facts, cases = _gpu_check(folder, tests) if is_gpu_check else _make_test(folder, cited, tests)
    for device in sorted({case.device for case in cases if case.outcome != "skipped"}):
        of_device = [case for case in cases if case.device == device]
        gpu = facts["gpu"] if device == "CUDA" else ""
        yield Run(
            device, gpu, facts["torch"], facts["day"], facts["commit"], _count(of_device, cited)
        )


def _make_test(
    folder: Path, cited: Iterable[str], tests: Devices
) -> tuple[dict[str, str], list[Case]]:
    of_python, of_cpp = _parse(folder / "pytest.xml"), _parse(folder / "ctest.xml")
    cases = [*_cases(of_python, tests), *_cases(of_cpp, tests), *_cases_of_build(folder, cited)]
    return _facts(of_python), cases


def _gpu_check(folder: Path, tests: Devices) -> tuple[dict[str, str], list[Case]]:
    """Its tests ran side by side, of which pytest reports no facts, and were those on CUDA alone."""
    report = (folder / "report.md").read_text()
    found = re.search(
        r" on (?P<day>\S+), of (?P<commit>\S+)\.$"
        r".*^Machine: (?P<gpu>[^,]+),.*; torch (?P<torch>[^;]+);",
        report,
        re.MULTILINE | re.DOTALL,
    )
    if not found:
        raise SystemExit(f"works_with: {folder / 'report.md'} does not say which run it was")
    cases = _cases(_parse(folder / "cuda.xml"), tests)
    return found.groupdict(), [case for case in cases if case.device == "CUDA"]


def _parse(report: Path) -> ElementTree.Element:
    if not report.exists():
        raise SystemExit(f"works_with: expected a report of a test run, but there is no {report}")
    return ElementTree.parse(report).getroot()


def _facts(report: ElementTree.Element) -> dict[str, str]:
    properties = {entry.get("name"): entry.get("value", "") for entry in report.iter("property")}
    facts = {name: properties.get(name, "unknown") for name in ("torch", "commit", "gpu")}
    [suite] = report.iter("testsuite")
    return facts | {"day": suite.get("timestamp", "").partition("T")[0]}


def _cases(report: ElementTree.Element, tests: Devices) -> Iterator[Case]:
    for case in report.iter("testcase"):
        folder, _, module = case.get("classname", "").rpartition(".")
        name = case.get("name", "")
        if folder == "tests.python":
            name = f"{module}.py::{name}"
        yield Case(name, _device(name, tests), _outcome(case))


def _device(name: str, tests: Devices) -> str:
    """That of a test which runs on both is among its parameters."""
    test, _, parameters = name.partition("[")
    devices = devices_of(test, tests)
    if "CPU" not in devices and "CUDA" in devices:
        return "CUDA"
    is_on_gpu = "CUDA" in devices and "cuda" in parameters.rstrip("]").split("-")
    return "CUDA" if is_on_gpu else "CPU"


def _outcome(case: ElementTree.Element) -> str:
    children = {child.tag: child for child in case}
    if children.keys() & {"failure", "error"}:
        return "failed"
    if "skipped" not in children:
        return "passed"
    return "known to fail" if children["skipped"].get("type") == "pytest.xfail" else "skipped"


def _cases_of_build(folder: Path, cited: Iterable[str]) -> Iterator[Case]:
    """Whether each command that compiled this library has certain words."""
    entries = json.loads((folder / "compile_commands.json").read_text())
    commands = [entry["command"].split() for entry in entries if "/csrc/" in entry["file"]]
    for name in cited:
        if name.startswith(BUILD):
            words = set(name.removeprefix(BUILD).split())
            for command in commands:
                yield Case(name, "CPU", "passed" if words <= set(command) else "failed")


def _count(cases: list[Case], cited: Iterable[str]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {outcome: {} for outcome in OUTCOMES}
    for test in cited:
        for case in cases:
            if is_of(case.name, test):
                of_outcome = counts[case.outcome]
                of_outcome[test] = of_outcome.get(test, 0) + 1
    return counts
