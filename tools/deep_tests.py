"""Runs the tests that take long, and writes tests/REPORT.md: python -m tools.deep_tests [--only NAME...]

Each leaves its log in build/deep. Results are kept in tests/report.json: what is not run again keeps
its last one.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from benchmarks import machine
from benchmarks.report import markdown

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "deep"
RESULTS = ROOT / "tests" / "report.json"
REPORT = ROOT / "tests" / "REPORT.md"
HEAD = """# What the long tests said

Written by `make test-deep`.
"""
CTEST = r"^\d+% tests passed.*"
PYTEST = r"^=+ .*\bpassed.*"
MUTANTS = r"^\d+ mutants: .*"


@dataclass(frozen=True)
class Step:
    name: str
    meaning: str
    command: tuple[str, ...]
    said: str  # the lines of its output that the report quotes


PYTHON = sys.executable
MUTATE = (PYTHON, "-m", "tools.mutate")
STEPS = (
    Step("suite", "`make test`", ("make", "test"), r"^(?:C\+\+|Python) +\(.*"),
    Step(
        "properties",
        "what holds for every input, of 10,000 inputs each",
        (
            PYTHON,
            "-m",
            "pytest",
            "tests/python/test_properties.py",
            "--hypothesis-profile=thorough",
        ),
        PYTEST,
    ),
    Step(
        "exactness",
        "errors against exact integers, `docs/exactness.md`",
        (PYTHON, "-m", "tools.exactness"),
        r"^\|.*",
    ),
    Step("fuzz", "ten minutes of each fuzzer", ("tests/fuzz/run.sh", "600"), r"^fuzz_.*"),
    Step(
        "address",
        "AddressSanitizer and UndefinedBehaviorSanitizer, all C++ tests",
        ("tests/sanitize.sh", "address"),
        CTEST,
    ),
    Step(
        "thread",
        "ThreadSanitizer, the C++ tests that have threads",
        ("tests/sanitize.sh", "thread"),
        CTEST,
    ),
    Step(
        "valgrind",
        "memcheck, the C++ tests of the maths and of the CPU engine",
        ("tests/sanitize.sh", "valgrind"),
        r"^== .+|^\[  PASSED  \].*",
    ),
    Step("aarch64", "the C++ tests below Torch, emulated", ("tests/aarch64/run.sh",), CTEST),
    Step(
        "mutants-of-maths",
        "each small change of `csrc/mappings`, which a test has to notice; what `mutants.toml` "
        "explains changes no result",
        (*MUTATE, "--files", "mappings/*.h"),
        MUTANTS,
    ),
    Step(
        "mutants-of-engine",
        "100 such changes of `csrc/rowwise`, by chance. The goal, less than 5 % that no test "
        "notices, is met by those that change a result, and short if what is explained counts: much "
        "of the engine is choices between ways to the same bits",
        (
            *MUTATE,
            *("--files", "rowwise/*.h", "rowwise/cpu/**/*.h", "rowwise/cpu/**/*.cpp"),
            "--sample=100",
        ),
        MUTANTS,
    ),
)


@dataclass(frozen=True)
class Result:
    passed: bool
    day: str
    commit: str
    seconds: int
    said: list[str]


def run(step: Step, commit: str) -> Result:
    started = time.monotonic()
    log = LOGS / f"{step.name}.log"
    with log.open("w") as file:
        status = subprocess.run(
            step.command, check=False, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT
        ).returncode
    seconds = round(time.monotonic() - started)
    said = re.findall(step.said, log.read_text(errors="replace"), re.MULTILINE)
    return Result(status == 0, date.today().isoformat(), commit, seconds, said)


def report(results: dict[str, Result]) -> str:
    facts = machine.facts("cpu", threads=1)
    where = "{cpu}, {cores} cores, {memory}; {system}; torch {torch}; {compiler}".format(**facts)
    ran = [(step, results[step.name]) for step in STEPS if step.name in results]
    summary = markdown(
        ("step", "result", "date", "commit", "minutes"),
        [
            (
                step.name,
                "passed" if result.passed else "**failed**",
                result.day,
                result.commit,
                f"{result.seconds / 60:.1f}",
            )
            for step, result in ran
        ],
    )
    missing = [step.name for step in STEPS if step.name not in results]
    not_run = f"Not run: {', '.join(missing)}.\n\n" if missing else ""
    sections = "\n".join(line for step, result in ran for line in section(step, result))
    return f"{HEAD}\nMachine: {where}.\n\n{summary}\n{not_run}{sections}"


def section(step: Step, result: Result) -> Iterator[str]:
    command = " ".join("python" if word == PYTHON else word for word in step.command)
    yield f"## {step.name}\n\n{step.meaning[0].upper()}{step.meaning[1:]}.\n"
    yield f"```\n$ {command}"
    yield from result.said
    yield "```\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.deep_tests", description=__doc__)
    names = [step.name for step in STEPS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME")
    return parser.parse_args()


def main() -> None:
    only = arguments().only
    LOGS.mkdir(parents=True, exist_ok=True)
    # Before the first step, since the report itself is a change.
    commit = subprocess.check_output(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, text=True
    ).strip()
    results = {}
    if RESULTS.exists():
        results = {name: Result(**kept) for name, kept in json.loads(RESULTS.read_text()).items()}
    for step in (step for step in STEPS if step.name in only):
        result = results[step.name] = run(step, commit)
        print(
            f"{step.name}: {'passed' if result.passed else 'FAILED'}, {result.seconds} s",
            flush=True,
        )
        RESULTS.write_text(
            json.dumps(
                {name: asdict(kept) for name, kept in results.items()},
                indent=2,
                ensure_ascii=False,
            )
            + "\n"
        )
        REPORT.write_text(report(results))
    if not all(results[name].passed for name in only):
        raise SystemExit(f"deep_tests: something failed; the logs are in {LOGS}")


if __name__ == "__main__":
    main()
