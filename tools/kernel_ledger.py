"""How many instructions a CUDA kernel issues for an entry, counted in its machine code without a GPU,
against what a copy of the same bytes leaves of an H100.

The main path of a kernel is its loop over stages or rows, without what is rarely done. Line
information says of each machine instruction which lines of source it comes from. With it, a Case
declares the path in words of the source:
  - `loop`: the line of the loop, the outermost of which is taken, or nothing for a whole kernel;
  - `rare`: lines that the main path goes around where it can. Other branches are counted on both
    sides, as a warp takes both if its lanes differ;
  - `contains`: lines that it has, lest it goes around too much;
  - `trips`: the turns of each loop inside, named by the line that it is closed by, which is that of
    the `for`.
Lines are named by patterns that are searched for in "function: line", for an instruction of an inlined
function in its callers' lines, too. What shared memory and shuffles cost beyond issuing is left out.

To add a kernel, write a function like few() or held() that makes
a Case of it, and add it to CASES. A loop without declared trips is an error that names it.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil, log2, prod

from machine_code import CSRC, Graph, Loop

# Of the CUDA programming guide for 9.0: 16 lanes of a pipe take two slots of a scheduler for an
# instruction of a warp, 4 take eight. All others take one.
PIPES = {
    "alu": "IADD3 LOP3 LEA SHF SEL FSEL ISETP FSETP FMNMX VIMNMX VIMNMX3 FSET PRMT IABS BMSK SGXT"
    " PLOP3 R2P P2R HMNMX2 HSET2 HSETP2 VIADD VIADDMNMX VABSDIFF F2FP I2FP FCHK VOTE",
    "double": "DADD DMUL DFMA DSETP",
    "xu": "MUFU F2F F2I I2F FRND POPC FLO BREV REDUX",
    # Accesses to local memory or where the compiler does not know to which, and calls.
    "unwanted": "LDL STL LD ST CALL",
}
PIPE_OF = {name: pipe for pipe, names in PIPES.items() for name in names.split()}
SLOTS = {"alu": 2, "double": 2, "xu": 8}

# Slots of an H100 for an entry while cudaMemcpyAsync copies it: 93 us for 128 MiB, in which its 132
# multiprocessors of 128 lanes make 1.755e9 instructions a second and lane. Kernels are to leave some
# of them.
BUDGET = {"float32": 82, "bfloat16": 41}
GOAL = 0.65
LEAST_BYTES_IN_FLIGHT = 48 << 10  # of a multiprocessor; CUB's transform has as many for an H200

# Of a multiprocessor of an H100.
SHARED_BYTES, REGISTERS, MOST_WARPS, MOST_BLOCKS, SCHEDULERS = 228 << 10, 64 << 10, 64, 32, 4


@dataclass(frozen=True)
class Case:
    kernel: str  # its title in kernel_facts
    scalar: str
    length: int
    k: int
    entries: int  # of a turn of the loop
    loop: str
    rare: tuple[str, ...]
    contains: tuple[str, ...]
    # A pair is how often something is done and the instruction that does it, which an unrolled loop
    # has several of.
    trips: Mapping[str, float | tuple[float, str]]
    # Of the launch.
    warps: int  # of a block
    most_blocks: int  # of a multiprocessor
    stages: int  # of a warp
    stage_bytes: int
    other_bytes: int  # of dynamic shared memory


@dataclass(frozen=True)
class Line:
    """What is found of a case. Numbers of instructions are those for an entry."""

    case: Case
    counts: Mapping[str, float]  # by pipe
    issued: float
    slots: float
    warps: int  # of a multiprocessor
    bytes_in_flight: int

    @property
    def share(self) -> float:
        """Of the slots of those schedulers that have a warp."""
        schedulers = min(self.warps, SCHEDULERS) / SCHEDULERS
        return self.slots / (BUDGET[self.case.scalar] * schedulers)


def trips_of(graph: Graph, loop: Loop, case: Case) -> float:
    branches = graph.branches(loop)
    if any(".ANY" in branch.name for branch in branches):
        return 1  # over the different values of a register, of which one lane has one
    for pattern, trips in case.trips.items():
        if graph.is_at(loop, pattern):
            if not isinstance(trips, tuple):
                return trips
            times, name = trips
            return times / sum(x.name == name for b in loop.blocks for x in graph.blocks[b])
    raise ValueError(f"{case.kernel}: no trips of {[x.places[:2] for x in branches]}")


graph_of = cache(Graph)


def line_of(case: Case, text: str, registers: int, shared_bytes: int) -> Line:
    """`text` is a kernel as nvdisasm -gi writes it, `shared_bytes` without what a launch asks for."""
    graph = graph_of(text)
    outermost = graph.outermost_loop(case.loop)
    path = graph.main_path(outermost, case.rare, case.contains)
    inner = [loop for loop in graph.loops if loop.head in path - {outermost.head}]
    trips = [(loop, trips_of(graph, loop, case)) for loop in inner]
    counts: defaultdict[str, float] = defaultdict(float)
    for block in path:
        times = prod(turns for loop, turns in trips if block in loop.blocks)
        for instruction in graph.blocks[block]:
            counts[PIPE_OF.get(instruction.base, "other")] += times * WARP / case.entries
    issued = sum(counts.values())
    dynamic_bytes = case.other_bytes + case.warps * case.stages * case.stage_bytes
    blocks = min(
        case.most_blocks,
        MOST_BLOCKS,
        MOST_WARPS // case.warps,
        SHARED_BYTES // (shared_bytes + dynamic_bytes + tuning()["kSystemSharedBytes"]),
        REGISTERS // (case.warps * ceil(registers * WARP / 256) * 256),
    )
    return Line(
        case,
        counts,
        issued,
        slots=max(issued, *(slots * counts[pipe] for pipe, slots in SLOTS.items())),
        warps=blocks * case.warps,
        bytes_in_flight=blocks * case.warps * (case.stages - 1) * case.stage_bytes,
    )


def table(lines: Iterable[Line]) -> str:
    head = (
        *("kernel", "n", "k", "instructions", "ALU", "double", "XU", "slots", "of the budget"),
        *("warps", "KiB in flight", ""),
    )
    rows: list[tuple[object, ...]] = [head, ("---",) * len(head)]
    for line in lines:
        pipes = (f"{line.counts[pipe]:.1f}" for pipe in ("alu", "double", "xu"))
        is_short = "short" if line.share > GOAL else ""
        rows.append(
            (
                *(line.case.kernel, line.case.length, line.case.k, f"{line.issued:.1f}", *pipes),
                *(f"{line.slots:.1f}", f"{100 * line.share:.0f} %", line.warps),
                *(line.bytes_in_flight >> 10, is_short),
            )
        )
    return "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)


@cache
def tuning() -> dict[str, int]:
    """The numbers of tuning.h."""
    text = (CSRC / "rowwise/cuda/tuning.h").read_text()
    found: dict[str, int] = {}
    for name, value in re.findall(r"inline constexpr int (\w+) = ([\w *<+\-/()]+);", text):
        found[name] = eval(value.replace("/", "//"), {}, found)
    return found


def few_sizes() -> list[int]:
    text = (CSRC / "rowwise/cuda/tuning.h").read_text()
    return [
        int(size)
        for size in re.findall(r"\d+", text.partition("kFewSizes[] =")[2].partition(";")[0])
    ]


WARP = tuning()["kWarpThreads"]
BYTES = {"float32": 4, "bfloat16": 2}
STAGES = r"^for_each: for \(.*number \+= step"
# What is rare for all: tensors that end within 16 bytes, supports that are saved, and rows that have
# an entry that is no number.
RARE = (
    *(r"^load_cover: .*last_whole", r"^load_cover: .*\bentry\b"),
    *(r"^(list|write)_support: ", r"^of: .*first_row", r"\bclose\("),
    r"\bnan\b|\(NAN\)",
)
WAITS = {"^wait: ": 0}  # what is loaded has come


def few(scalar: str, length: int, k: int) -> Case:
    """Rows that are no multiple of 16 bytes and ties at the limit are rare; that k entries of some of a
    warp's rows are in the support is not. Half types need no double.
    """
    number = tuning()
    per_chunk = number["kPieceBytes"] // BYTES[scalar]
    chunks = min(length // per_chunk, number["kChunksPerLane"])
    lanes = length // per_chunk // chunks
    size = min(size for size in few_sizes() if k <= size)
    return Case(
        f"few, {scalar}, chunks: {chunks}, list: {size}",
        *(scalar, length, k),
        entries=number["kStageChunks"] * per_chunk,
        loop=STAGES,
        rare=(
            *(*RARE, r"^(to|from)_chunks: ", "^store_rows: "),
            *("^where: ", "^clear: ", "^behind_first: "),
            "^weigh_few: .*of<kFewer>" if size > 4 else "^weigh_few: .*of<K>",
            *(("wide_weights",) if scalar != "float32" else ()),
        ),
        contains=("^insert: |^exchange: ", "^weights_of_terms: ", "^weigh_few: .*of<"),
        trips={
            **WAITS,
            "^few_kernel: for": number["kChunksPerLane"] // chunks,
            "^(merge_lanes|count_equal): for": log2(lanes),
        },
        warps=number["kWarpsPerBlock"],
        most_blocks=number["kBlocksOfPipes"],
        stages=number["kStages"],
        stage_bytes=number["kStageBytes"],
        other_bytes=number["kBarrierBytes"],
    )


def held(scalar: str, length: int, k: int) -> Case:
    return with_list("held", scalar, length, length, k, contains=("^fill: ", "^weight_of: "))


def segments(scalar: str, length: int, k: int) -> Case:
    part = tuning()["kMostSegmentBytes"] // BYTES[scalar]
    return with_list("segments", scalar, length, part, k, contains=("^fill: ", "headers.number"))


def with_list(
    kind: str, scalar: str, row: int, length: int, k: int, contains: tuple[str, ...]
) -> Case:
    """Stages of so many entries, of rows of N(0, 1). It is rare that the list of candidates is full."""
    number = tuning()
    per_chunk = number["kPieceBytes"] // BYTES[scalar]
    steps = length // per_chunk // WARP
    lanes, rounds, candidates = candidates_of_normal_rows(length, per_chunk, k)
    return Case(
        f"{kind}, {scalar}, small k",
        *(scalar, row, k),
        entries=length,
        loop=STAGES,
        rare=(
            *(*RARE, "^add: keep_first", "^offsets: .* / ", "^included: "),
            "^rank: rank_of<1>" if candidates > WARP else "^rank: rank_of<kCand",
            "^kth_of_lanes: (kth =|seen)" if k > number["kMostRounds"] else "^sorted_lanes: ",
        ),
        contains=contains,
        trips={
            **WAITS,
            "^offsets: for": 1,
            r"^lane_maximum: for \(; \(step \+": (steps, "LDS.128"),
            r"^lane_maximum: for \(; step \*": 0,  # for what is left of other lengths
            "^kth_of_lanes: ": k,
            "^list_into: for": lanes,
            "^list_chunks_of: for": ceil(steps / WARP),
            "^list_chunks_of: while": rounds,
            "^rank_of: for": candidates,
            "^list_segment: for": 0,  # unrolled, for longer lists
            "^fill: for": (steps, "STS.128"),
        },
        warps=1,
        most_blocks=number["kMostBlocksOfMultiprocessor"],
        stages=number["kStages"],
        stage_bytes=length * BYTES[scalar],
        other_bytes=number["kBarrierBytes"],
    )


@cache
def candidates_of_normal_rows(length: int, per_chunk: int, k: int) -> tuple[float, float, float]:
    """On the average: lanes that are looked at again, most candidates of a chunk in each 32 chunks of
    them, and candidates of a row."""
    generator = random.Random(0)
    lanes = rounds = candidates = turns = 0
    rows = 32
    for _ in range(rows):
        row = [generator.gauss(0, 1) for _ in range(length)]
        chunks = [row[i : i + per_chunk] for i in range(0, length, per_chunk)]
        of_lanes = [chunks[lane::WARP] for lane in range(WARP)]
        maxima = sorted((max(map(max, lane)) for lane in of_lanes), reverse=True)
        bound = max(maxima[k - 1], maxima[0] - 1)
        lanes += sum(maximum >= bound for maximum in maxima)
        for lane in of_lanes:
            found = [sum(entry >= bound for entry in chunk) for chunk in lane]
            candidates += sum(found)
            if any(found):
                parts = [found[i : i + WARP] for i in range(0, len(found), WARP)]
                rounds += sum(map(max, parts))
                turns += len(parts)
    return lanes / rows, rounds / turns, candidates / rows


CASES = [
    *(
        few(scalar, length, k)
        for scalar in BYTES
        for k in (3, 8)
        for length in (8, 16, 32, 64, 256, 1024)
        if k < length or scalar == "bfloat16"
    ),
    *(held(scalar, length, k) for scalar in BYTES for k in (3, 32) for length in (2048, 8192)),
    *(segments(scalar, 1 << 17, k) for scalar in BYTES for k in (3, 32)),
]
