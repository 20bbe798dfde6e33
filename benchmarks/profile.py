"""What bounds the CUDA kernels: a call of each kind, under Nsight Compute.

python -m benchmarks.profile [folder], by default benchmarks/results/cuda.
"""

import argparse
import math
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd

from benchmarks.cases import DTYPES, Case, Pass, shape_of_length
from benchmarks.cuda_cases import WORKING_SET
from benchmarks.report import PROFILED_BY, markdown, number, quote
from benchmarks.results import FOLDER, FOLDERS

# Of long rows the kernel that reads them, not the one that merges what it finds.
KERNELS = (
    "regex:^(few|many|few_of_block|many_of_block|held|segments|segments_few|segments_many"
    "|columns|columns_few|forward_passes|weights_backward|listed_backward|support_backward)_kernel"
)
WARP = 32  # threads

# Length, k, dtype and family of rows that are contiguous.
FORWARD = (
    (8, 3, "float32", "N(0,1)"),
    (16, 3, "float32", "N(0,1)"),
    (16, 8, "float32", "N(0,1)"),
    (16, 16, "float32", "N(0,1)"),
    (8, 3, "bfloat16", "N(0,1)"),
    (16, 3, "bfloat16", "N(0,1)"),
    (16, 8, "bfloat16", "N(0,1)"),
    (16, 16, "bfloat16", "N(0,1)"),
    (64, 3, "float32", "N(0,1)"),
    (64, 8, "float32", "N(0,1)"),
    (64, 32, "float32", "N(0,1)"),
    (256, 3, "float32", "N(0,1)"),
    (256, 32, "float32", "N(0,0.1)"),
    (256, 3, "bfloat16", "N(0,1)"),
    (256, 8, "bfloat16", "N(0,1)"),
    (256, 32, "bfloat16", "N(0,1)"),
    (256, 32, "bfloat16", "N(0,0.01)"),
    (256, 256, "float32", "equal"),
    (64, 3, "bfloat16", "equal"),
    (1024, 3, "float32", "N(0,1)"),
    (1024, 32, "float32", "N(0,1)"),
    (1024, 32, "bfloat16", "N(0,0.1)"),
    (1024, 1024, "float32", "N(0,0.01)"),
    (4096, 3, "float32", "N(0,1)"),
    (4096, 32, "float32", "N(0,0.1)"),
    (4096, 3, "bfloat16", "N(0,1)"),
    (4096, 1024, "bfloat16", "N(0,0.01)"),
    (32768, 3, "float32", "N(0,1)"),
    (32768, 32, "float32", "N(0,1)"),
    (32768, 3, "bfloat16", "N(0,1)"),
    (32768, 3, "float32", "equal"),
    (32768, 1024, "float32", "N(0,0.01)"),
    (1 << 20, 3, "float32", "N(0,1)"),
    (1 << 20, 3, "bfloat16", "N(0,1)"),
    (1 << 20, 3, "bfloat16", "N(0,0.01)"),
    (1 << 20, 1024, "float32", "equal"),
)
# Shape, k and dtype of rows along dimension 0.
COLUMNS = (
    ((4096, 8192), 3, "float32"),
    ((4096, 8192), 32, "float32"),
    ((8192, 8192), 3, "bfloat16"),
    ((8192, 8192), 32, "bfloat16"),
)
BACKWARD = (
    (16, 3, "float32", "N(0,1)"),
    (256, 3, "bfloat16", "N(0,1)"),
    (1024, 3, "float32", "N(0,1)"),
    (64, 64, "float32", "N(0,1)"),
    (1024, 1024, "float32", "N(0,1)"),
    (4096, 4096, "float32", "N(0,1)"),
    (4096, 3, "float32", "N(0,1)"),
    (1 << 20, 3, "float32", "N(0,1)"),
)
FEW_ROWS = ((32, 128), (1, 50257), (1, 1 << 20))

METRICS = {
    "microseconds": "gpu__time_duration.sum",
    "memory_percent": "gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed",
    "issue_percent": "smsp__issue_active.avg.pct_of_peak_sustained_active",
    "warps_percent": "sm__warps_active.avg.pct_of_peak_sustained_active",
    "instructions": "smsp__inst_executed.sum",  # of warps
    "cycles_of_instruction": "smsp__average_warp_latency_per_inst_issued.ratio",
}
# What a warp waits for from one instruction to the next, and the metric's word for it.
WAITS = {
    "the result before": "wait",
    "other warps": "not_selected",
    "global memory": "long_scoreboard",
    "shared memory": "short_scoreboard",
    "a barrier": "barrier",
    "a branch": "branch_resolving",
    "code": "no_instruction",
    "the arithmetic units": "math_pipe_throttle",
    "the memory queue": "mio_throttle",
}
METRICS |= {
    wait: f"smsp__average_warps_issue_stalled_{word}_per_issue_active.ratio"
    for wait, word in WAITS.items()
}


def cases() -> list[Case]:
    forward = ((Pass.FORWARD_OUT, ()),)
    return [
        *(_case(Pass.FORWARD_OUT, *kind) for kind in FORWARD),
        *(Case("profile", *kind, "N(0,1)", forward, dim=0) for kind in COLUMNS),
        *(_case(Pass.BACKWARD, *kind) for kind in BACKWARD),
        *(Case("profile", shape, 3, "float32", "N(0,1)", forward) for shape in FEW_ROWS),
    ]


def _case(operation: Pass, length: int, k: int, dtype: str, family: str) -> Case:
    shape = shape_of_length(length, dtype, WORKING_SET)
    return Case("profile", shape, k, dtype, family, ((operation, ()),))


def call_each() -> None:
    """Once, with nothing but the call itself seen by the profiler."""
    import torch

    from benchmarks.contenders import Contenders
    from benchmarks.inputs import make

    for case in cases():
        z = make(case.family, case.shape, case.dim, DTYPES[case.dtype], "cuda")
        [(operation, _)] = case.comparisons
        call = Contenders(case, z).contender("zeta", operation).function
        call()
        torch.cuda.synchronize()
        with torch.cuda.profiler.profile():
            call()
            torch.cuda.synchronize()


def profile() -> pd.DataFrame:
    """A row for each case."""
    ncu = shutil.which("ncu")
    if ncu is None:
        sys.exit(f"{PROFILED_BY}: expected Nsight Compute's ncu on the path, but it is not there")
    printed = subprocess.run(
        [
            *(ncu, "--csv", "--page", "raw", "--print-units", "base", "--kernel-name", KERNELS),
            *("--metrics", ",".join(METRICS.values())),
            *("--clock-control", "none", "--profile-from-start", "off"),
            *(sys.executable, "-m", "benchmarks.profile", "--call-each"),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return parse(printed)


def parse(printed: str) -> pd.DataFrame:
    """From what ncu prints: its notes, names, units, and a line for each kernel."""
    lines = [line for line in printed.splitlines() if line.startswith('"')]
    found = pd.read_csv(StringIO("\n".join(lines)), skiprows=[1], thousands=",")
    if len(found) != len(cases()):
        sys.exit(
            f"{PROFILED_BY}: expected a kernel for each of {len(cases())} calls, not {len(found)}"
        )
    table = pd.DataFrame(
        {
            "call": [_title(case) for case in cases()],
            "kernel": found["Kernel Name"].str.extract(r"(\w+)_kernel\b", expand=False),
            **{name: found[metric] for name, metric in METRICS.items()},
        }
    )
    table["microseconds"] /= 1e3  # Base units are nanoseconds.
    entries = [math.prod(case.shape) for case in cases()]
    table["instructions"] *= WARP / pd.Series(entries)
    return table


def _title(case: Case) -> str:
    shape = "x".join(map(str, case.shape))
    along = " along dim 0" if case.dim == 0 else ""
    return f"{case.comparisons[0][0]}, {shape}{along}, k = {case.k}, {case.dtype}, {case.family}"


def markdown_of(table: pd.DataFrame) -> str:
    lines = []
    for _, row in table.iterrows():
        wait = row[list(WAITS)].astype(float).idxmax()
        share = 100 * row[wait] / row["cycles_of_instruction"]
        numbers = row[["microseconds", "memory_percent", "issue_percent", "warps_percent"]]
        lines.append(
            (
                *(row["call"], row["kernel"], *map(number, numbers)),
                *(number(row["instructions"]), f"{wait}, {share:.0f} %"),
            )
        )
    head = (
        *("call", "kernel", "µs", "memory, % of peak", "issue slots used, %", "warps resident, %"),
        *("instructions for an entry", "a warp waits most for"),
    )
    return markdown(head, lines)


def machine_line() -> str:
    from benchmarks.machine import facts

    line = "Profiled on {date}, {gpu}, CUDA {cuda}, torch {torch}, zeta {zeta}."
    return line.format_map(facts("cuda", threads=1))


def main() -> None:
    parser = argparse.ArgumentParser(prog=PROFILED_BY, description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDERS["cuda"])
    parser.add_argument("--call-each", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call_each:
        call_each()
        return
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    table = profile()
    table.to_csv(folder / "profile.csv", index=False, float_format="%.4g")
    text = f"{machine_line()}\n\n{markdown_of(table)}"
    (folder / "profile.md").write_text(text)
    if folder.resolve() == FOLDERS["cuda"]:
        quote(FOLDER / "README.md", folder / "profile.md", PROFILED_BY)
    print(text)


if __name__ == "__main__":
    main()
