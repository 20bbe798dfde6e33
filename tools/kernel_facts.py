"""What can be told of the CUDA kernels without a GPU, as tables: registers, spilled registers, shared
memory and the widths of their accesses; and for 9.0 the instructions that they issue for an entry.
Compiles them for one architecture, by default 9.0.

    python tools/kernel_facts.py [architecture] > benchmarks/results/cuda/kernels.md
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import kernel_ledger

ROOT = Path(__file__).resolve().parents[1]
TYPES = ("float32", "bfloat16", "float16", "float64")
WORDS = {  # of template arguments
    "float": "float32",
    "double": "float64",
    "RowsOfBlocks": "blocks",
    "RowsOfColumns": "columns",
    "WarpOfBlock": "a row to a warp",
    "WholeBlock": "a row to a block",
    "AmongZeros": "values among zeros",
    "OverZeros": "values over zeros",
    "OverZerosWide": "any capacity",
    "AmongZerosOfChunks": "values among zeros, k = 3",
    "OverZerosOfChunks": "values over zeros, k = 3",
    "SearchedMember": "any other alpha",
}
# Their kernels are for one or the other.
SIZES_OF_K = ("held", "held_masked", "segments", "columns")
NUMBERS = {  # among them, in order
    "few": ("chunks", "list"),
    "few_of_block": ("list",),
    "segments_few": ("list",),
    "many": ("chunks",),
    "columns_few": ("list",),
    "weights_backward": ("chunks",),
}


@dataclass(frozen=True)
class Kernel:
    name: str  # mangled
    registers: int
    spilled_bytes: int  # stored and loaded
    shared_bytes: int
    instructions: int
    accesses: Counter[str]  # of global memory: "load 128", "store 32"; "bulk copy"
    code: str = field(repr=False)  # with lines of source

    @cached_property
    def title(self) -> str:
        """As few, float32, chunks: 8, list: 3. A mapping other than that of alpha = 2 comes last."""
        text = output("c++filt", self.name)
        match = re.search(r"(\w+)_kernel<([^()]*)>\(", text)
        if match is None:
            sys.exit(f"kernel_facts: expected the name of a kernel, but got {text}")
        mapping, *arguments = (word.rpartition("::")[2] for word in match[2].split(", "))
        if mapping != "SparseSoftmax":
            arguments.append(mapping)
        meanings = iter(NUMBERS.get(match[1], ()))
        small_k = {"true": "small k", "false": "any k"} if match[1] in SIZES_OF_K else {}
        words = (
            f"{next(meanings)}: {word}" if word.isdigit() else small_k.get(word, word)
            for word in arguments
        )
        return ", ".join([match[1], *(WORDS.get(word, word.lower()) for word in words)])


def output(*command: object) -> str:
    words = [str(word) for word in command]
    result = subprocess.run(words, check=False, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def find_tool(name: str) -> str:
    """On the path, in the toolkit, or beside triton, which brings the disassembler."""
    spec = find_spec("triton")
    places = [os.environ.get("PATH", ""), "/usr/local/cuda/bin"]
    if spec and spec.origin:
        places.append(str(Path(spec.origin).parent / "backends/nvidia/bin"))
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        sys.exit(
            f"kernel_facts: {name} was not found on the path, in /usr/local/cuda or with triton"
        )
    return found


def facts(scalar: str, architecture: str) -> list[Kernel]:
    with TemporaryDirectory() as folder:
        cubin = Path(folder, "kernels.cubin")
        compiled = output(
            *(find_tool("nvcc"), "-std=c++20", "--fmad=false", f"-I{ROOT}/csrc", "-cubin"),
            *(f"-arch=sm_{architecture}", "-lineinfo", "-Xptxas=-v", "-o", cubin),
            ROOT / "csrc/rowwise/cuda" / f"entmax_{scalar}.cu",
        )
        disassembled = output(find_tool("nvdisasm"), "-gi", "-c", cubin)
    codes = dict(
        re.findall(r"^\.text\.(\w+):\n(.*?)(?=^//-----|\Z)", disassembled, re.DOTALL | re.MULTILINE)
    )
    instructions = {
        name: re.findall(r"^\s+/\*[0-9a-f]{4,}\*/\s+(.*?);", code, re.MULTILINE)
        for name, code in codes.items()
    }
    pattern = (
        r"Compiling entry function '(\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
        r".*?Used (\d+) registers(?:[^\n]*?, (\d+) bytes smem)?"
    )
    return [
        Kernel(
            name,
            registers=int(registers),
            spilled_bytes=int(stored) + int(loaded),
            shared_bytes=int(shared or 0),
            instructions=len(instructions[name]),
            accesses=count_accesses(instructions[name]),
            code=codes[name],
        )
        for name, stored, loaded, registers, shared in re.findall(pattern, compiled, re.DOTALL)
    ]


def ledger(kernels: list[Kernel], scalar: str) -> list[kernel_ledger.Line]:
    """Of those of one type, compiled for 9.0."""
    found = {kernel.title: kernel for kernel in kernels}
    cases = [(case, found[case.kernel]) for case in kernel_ledger.CASES if case.scalar == scalar]
    return [
        kernel_ledger.line_of(case, kernel.code, kernel.registers, kernel.shared_bytes)
        for case, kernel in cases
    ]


def compiler() -> str:
    version = output(find_tool("nvcc"), "--version").partition("release ")[2].partition(",")[0]
    return f"nvcc {version}"


def count_accesses(instructions: list[str]) -> Counter[str]:
    kinds = {"LDG": "load", "LD": "load", "STG": "store", "ST": "store"}
    found: Counter[str] = Counter()
    for instruction in instructions:
        if re.search(r"\bUBLKCP\b", instruction):
            found["bulk copy"] += 1
        match = re.match(r"(?:@!?U?P\w+ )?(LDG|LD|STG|ST)\.E(\.\S+)?\s", instruction)
        if match:
            width = re.search(r"\.(128|64|U16|S16|U8)\b", match[2] or "")
            bits = width[1].strip("US") if width else "32"
            found[f"{kinds[match[1]]} {bits}"] += 1
    return found


def table(kernels: list[Kernel]) -> str:
    head = (
        *("kernel", "registers", "spilled, B", "shared, B", "instructions"),
        *("128-bit loads", "128-bit stores", "bulk copies"),
    )
    lines = [head, ("---",) * len(head)]
    for kernel in kernels:
        numbers = (kernel.registers, kernel.spilled_bytes, kernel.shared_bytes, kernel.instructions)
        kinds = ("load 128", "store 128", "bulk copy")
        wide = tuple(kernel.accesses[kind] for kind in kinds)
        lines.append((kernel.title, *map(str, (*numbers, *wide))))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", nargs="?", default="90", help="as 80, 90 or 120")
    architecture = parser.parse_args().architecture
    kernels = [kernel for scalar in TYPES for kernel in facts(scalar, architecture)]
    print(f"By {compiler()}, for architecture {architecture}.\n")
    print(table(sorted(kernels, key=lambda kernel: kernel.title)), end="")
    if architecture == "90":
        print("\n## Instructions an entry on the main path\n")
        lines = [line for scalar in kernel_ledger.BYTES for line in ledger(kernels, scalar)]
        print(kernel_ledger.table(lines), end="")


if __name__ == "__main__":
    main()
