"""What a call costs that has next to nothing to compute: 4 rows of 8, from Python and from C++.

python -m benchmarks.calls PROGRAM, where PROGRAM is the one that make bench-calls builds.
"""

import argparse
import contextlib
import json
import subprocess
from pathlib import Path

import pandas as pd
import torch
from torch.utils.benchmark import Timer

import zeta
from benchmarks.machine import facts
from benchmarks.report import markdown, number, quote
from benchmarks.results import FOLDER, RESULTS

ROUNDS = 15
CALLS_OF_A_ROUND = 20000
COMMAND = "make bench-calls"
MODES = ("without gradient", "with gradient", "in inference mode")

STATEMENTS = {
    "torch.softmax": "torch.softmax(z, -1)",
    "torch.ops.aten.softmax.int, kept": "aten_softmax(z, -1)",
    "torch.ops.zeta.sparse_softmax.default, kept": "default(z, 3)",
    "torch.ops.zeta.sparse_softmax": "torch.ops.zeta.sparse_softmax(z, 3)",
    "zeta.ops.sparse_softmax": "zeta.ops.sparse_softmax(z, 3)",
}
NAMES = {
    "torch": torch,
    "zeta": zeta,
    "aten_softmax": torch.ops.aten.softmax.int,
    "default": torch.ops.zeta.sparse_softmax.default,
}
FUNCTIONS = {"softmax": "at::softmax", "sparse_softmax": "zeta::sparse_softmax"}

# Of a call, a mode, what it is held against, and the microseconds that it may take beyond that.
GOALS = (
    ("torch.ops.zeta.sparse_softmax.default, kept", MODES[0], "torch.softmax", 0.8),
    ("torch.ops.zeta.sparse_softmax.default, kept", MODES[1], "torch.softmax", 1.4),
    ("zeta::sparse_softmax", MODES[0], "at::softmax", 0.0),
)


def from_python() -> list[tuple[str, str, int, float]]:
    """Call, mode, round and microseconds. The calls take turns."""
    torch.set_num_threads(1)
    timers = {
        (call, mode): Timer(
            statement, globals=NAMES | {"z": torch.randn(4, 8, requires_grad=mode == MODES[1])}
        )
        for call, statement in STATEMENTS.items()
        for mode in MODES
    }
    times = []
    for turn in range(ROUNDS):
        for (call, mode), timer in timers.items():
            is_inference = mode == MODES[2]
            with torch.inference_mode() if is_inference else contextlib.nullcontext():
                seconds = timer.timeit(CALLS_OF_A_ROUND).mean
            times.append((call, mode, turn, 1e6 * seconds))
    return times


def from_cpp(program: Path) -> list[tuple[str, str, int, float]]:
    printed = subprocess.run(
        [
            program,
            f"--benchmark_repetitions={ROUNDS}",
            "--benchmark_enable_random_interleaving=true",
            "--benchmark_min_time=0.02",
            "--benchmark_format=json",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    times = []
    for run in json.loads(printed)["benchmarks"]:
        if run["run_type"] == "iteration":
            function, mode, *_ = run["name"].split("/")
            times.append(
                (FUNCTIONS[function], mode, run["repetition_index"], run["real_time"] / 1e3)
            )
    return times


def table(times: pd.DataFrame) -> str:
    medians = times.pivot_table("µs", "call", "mode", aggfunc="median", sort=False)
    return markdown(
        ("µs a call", *MODES),
        ((f"`{call}`", *map(number, row[list(MODES)])) for call, row in medians.iterrows()),
    )


def goal_table(times: pd.DataFrame) -> str:
    rounds = times.pivot(index=["mode", "round"], columns="call", values="µs")
    lines = []
    for call, mode, rival, goal in GOALS:
        beyond = (rounds.loc[mode, call] - rounds.loc[mode, rival]).median()
        verdict = "met" if beyond <= goal else "short"
        lines.append((f"`{call}` {mode}", f"`{rival}`", f"≤ {goal}", f"{beyond:.2f}", verdict))
    return markdown(("call", "beyond", "goal, µs", "measured", "verdict"), lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("program", type=Path)
    program = parser.parse_args().program
    times = pd.DataFrame(from_python() + from_cpp(program), columns=["call", "mode", "round", "µs"])
    times.to_csv(RESULTS / "calls.csv", index=False, float_format="%.4f")
    machine = facts("cpu", threads=1)
    line = "Measured on {date}, one thread of {cpu}, torch {torch}, zeta {zeta}, Python {python}."
    text = f"{line.format_map(machine)}\n\n{table(times)}\n{goal_table(times)}"
    (RESULTS / "calls.md").write_text(text)
    quote(FOLDER / "README.md", RESULTS / "calls.md", COMMAND)
    print(text)


if __name__ == "__main__":
    main()
