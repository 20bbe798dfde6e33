"""The tests that there are, each with the devices that it runs on.

Tests of Python are those that pytest collects: `python -m tools.collected_tests` prints them as JSON.
A test has a short name, as in tests/works_with.toml: `test_file.py::test_function` or, for C++,
`Suite.Test`.
"""

import contextlib
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests"
# A line of a table: what, tests, devices.
LINE = re.compile(r"^(\| [^|`]+ \| )(`.+`)( \| )[^|]+( \|)$", re.MULTILINE)
TEST_OF_CPP = re.compile(r"^\w*TEST\w*\((\w+),\s*(\w+)\)", re.MULTILINE)

Devices = dict[str, set[str]]


@functools.cache
def collect() -> Devices:
    """In a process of its own, since this one may be a run of pytest."""
    command = [sys.executable, "-m", __name__]
    collected = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if collected.returncode:
        raise SystemExit("collected_tests: pytest could not collect the tests")
    of_python = {name: set(devices) for name, devices in json.loads(collected.stdout).items()}
    return of_python | {name: {"CPU"} for name in _tests_of_cpp()}


def is_of(name: str, cited: str) -> bool:
    """Whether a test is the cited one, or of the cited file, or the cited one with parameters."""
    rest = name.removeprefix(cited)
    return rest != name and (not rest or rest[0] in "[</:")


def devices_of(cited: str, tests: Devices) -> set[str]:
    return set().union(*(devices for name, devices in tests.items() if is_of(name, cited)))


def with_devices(text: str, tests: Devices) -> str:
    """The text, with the devices of the tests that a line names in the line's last column."""

    def line(match: re.Match[str]) -> str:
        cited = re.findall(r"`([^`]+)`", match[2])
        devices = _describe([devices_of(name, tests) for name in cited])
        return f"{match[1]}{match[2]}{match[3]}{devices}{match[4]}"

    return LINE.sub(line, text)


def _describe(devices: list[set[str]]) -> str:
    """Those of all tests, then those of some."""
    common = set.intersection(*devices)
    others = set.union(*devices) - common
    return ", ".join([*sorted(common), *(f"{device} in part" for device in sorted(others))])


def _tests_of_cpp() -> Iterator[str]:
    for file in TESTS.glob("cpp/*.cpp"):
        for suite, test in TEST_OF_CPP.findall(file.read_text()):
            yield f"{suite}.{test}"


class _Collector:
    def __init__(self) -> None:
        self.devices: Devices = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = f"{item.path.name}::{item.originalname}"
            self.devices.setdefault(name, set()).update(_devices(item))


def _devices(item: pytest.Function) -> set[str]:
    """The fixture `device` gives each device that a machine has, which need not be this one."""
    if item.path.name == "test_cuda.py":
        return {"CUDA"}
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    devices = {"meta" if _is(parameters, "meta") else "CPU"}
    return devices | ({"CUDA"} if _takes_the_fixture(item) else set())


def _is(parameters: dict[str, object], device: str) -> bool:
    return any(isinstance(value, str) and value == device for value in parameters.values())


def _takes_the_fixture(item: pytest.Function) -> bool:
    """A mark that names the devices takes the fixture's place."""
    marks = item.iter_markers("parametrize")
    is_named = any("device" in re.findall(r"\w+", str(mark.args[0])) for mark in marks)
    return "device" in item.fixturenames and not is_named


def main() -> None:
    collector = _Collector()
    with contextlib.redirect_stdout(sys.stderr):
        status = pytest.main(["--collect-only", "-qq", str(TESTS / "python")], [collector])
    print(json.dumps({name: sorted(found) for name, found in collector.devices.items()}))
    sys.exit(status)


if __name__ == "__main__":
    main()
