"""How many instructions a CUDA kernel issues for an entry, counted in its machine code without a GPU,
against what a copy of the same bytes leaves of an H100, or a fill of those that a kernel stores alone.

The main path of a kernel is its loop over stages or rows, without what is rarely done. Line
information says of each machine instruction which lines of source it comes from. With it, a Case
declares the path in words of the source:
  - `loop`: the line of the loop, the outermost of which is taken, or nothing for a whole kernel;
  - `rare`: lines that the main path goes around where it can. Other branches are counted on both
    sides, as a warp takes both if its lanes differ;
  - `contains`: lines that it has, lest it goes around too much;
  - `trips`: the turns of each loop inside, named by the line that it is closed by, which is that of
    the `for`;
  - `shares`: how often lines are come to, of the times that their loop says.
Lines are named by patterns that are searched for in "function: line", for an instruction of an inlined
function in its callers' lines, too; for a loop, in its own line and those of its callers at once, as
those of a text. What shared memory and shuffles cost beyond issuing is left out.

To add a kernel, write a function like few() or columns_few() that makes
a Case of it, and add it to CASES. A loop without declared trips is an error that names it.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from math import ceil, inf, log2, prod
from typing import TypedDict

from machine_code import CSRC, Graph, Instruction, Loop

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

# Slots of an H100 for an entry that memory is read or written for, half of those while
# cudaMemcpyAsync copies it: 93 us for 128 MiB, in which its 132 multiprocessors of 128 lanes make
# 1.755e9 instructions a second and lane. Kernels are to leave some of them.
BUDGET = {"float32": 41, "bfloat16": 20.5}
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
    bytes_ahead: int  # that a warp has under way while it works
    dynamic_bytes: int  # of shared memory
    tensors: int = 2  # of the entries that pass through memory, as a copy has
    shares: Mapping[str, float] = field(default_factory=dict)


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
    def lacks(self) -> list[str]:
        """Slots that it leaves, and bytes in flight."""
        return ["short"] * (self.share > GOAL) + ["few bytes"] * (
            self.bytes_in_flight < LEAST_BYTES_IN_FLIGHT
        )

    @property
    def share(self) -> float:
        """Of the slots of those schedulers that have a warp."""
        schedulers = min(self.warps, SCHEDULERS) / SCHEDULERS
        return self.slots / (BUDGET[self.case.scalar] * self.case.tensors * schedulers)


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


def share_of(block: list[Instruction], case: Case) -> float:
    """1 for a block of which a third are instructions of other lines: those that are seldom needed may
    be issued each time, under a predicate."""
    placed = [x for x in block if x.places]
    return prod(
        share
        for pattern, share in case.shares.items()
        if 3 * sum(x.is_of(pattern) for x in placed) > 2 * len(placed)
    )


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
        times *= share_of(graph.blocks[block], case)
        for instruction in graph.blocks[block]:
            counts[PIPE_OF.get(instruction.base, "other")] += times * WARP / case.entries
    issued = sum(counts.values())
    blocks = min(
        case.most_blocks,
        MOST_BLOCKS,
        MOST_WARPS // case.warps,
        SHARED_BYTES // (shared_bytes + case.dynamic_bytes + tuning()["kSystemSharedBytes"]),
        REGISTERS // (case.warps * ceil(registers * WARP / 256) * 256),
    )
    return Line(
        case,
        counts,
        issued,
        slots=max(issued, *(slots * counts[pipe] for pipe, slots in SLOTS.items())),
        warps=blocks * case.warps,
        bytes_in_flight=blocks * case.warps * case.bytes_ahead,
    )


def table(lines: Iterable[Line]) -> str:
    head = (
        *("kernel", "n", "k", "instructions", "ALU", "double", "XU", "slots", "of the budget"),
        *("warps", "KiB in flight", ""),
    )
    rows: list[tuple[object, ...]] = [head, ("---",) * len(head)]
    for line in lines:
        pipes = (f"{line.counts[pipe]:.1f}" for pipe in ("alu", "double", "xu"))
        rows.append(
            (
                *(line.case.kernel, line.case.length, line.case.k, f"{line.issued:.1f}", *pipes),
                *(f"{line.slots:.1f}", f"{100 * line.share:.0f} %", line.warps),
                *(line.bytes_in_flight >> 10, ", ".join(line.lacks)),
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
    r"^read_last_chunk: ",
    *(r"^(list|write)_support: ", r"^of: .*first_row", r"\bclose\("),
    r"\bnan\b|\(NAN\)",
)
# Of the backward: infinities, tiny gradients, and tensors of several batch dimensions.
RARE_BACKWARD = (
    *("^row_mean: .*(others|non_finite)", "^row_mean: if .*is_finite"),
    *("mappings::power_of_two", "^find_row: geometry"),
)
WAITS = {"^wait: ": 0}  # what is loaded has come
ONE_BATCH_DIMENSION = {"^offsets: .* / ": 0}  # whose rows need no division to be found


class Stages(TypedDict):
    warps: int
    bytes_ahead: int
    dynamic_bytes: int


def of_stages(stages: int, stage_bytes: int, warps: int) -> Stages:
    """A launch whose warps have so many stages, of which one is not under way."""
    number = tuning()
    barrier_bytes = number["kBarrierBytes"] * (1 if warps <= number["kWarpsPerBlock"] else 2)
    return {
        "warps": warps,
        "bytes_ahead": (stages - 1) * stage_bytes,
        "dynamic_bytes": barrier_bytes + warps * stages * stage_bytes,
    }


class BlocksOfPipes(Stages):
    most_blocks: int


def of_pipes(warps: int) -> BlocksOfPipes:
    """Blocks of so many warps, of which as many share a multiprocessor as of short rows."""
    number = tuning()
    return {
        "most_blocks": number["kBlocksOfPipes"] * number["kWarpsPerBlock"] // warps,
        **of_stages(number["kStages"], number["kStageBytes"], warps),
    }


def list_size(k: int) -> int:
    return min(size for size in few_sizes() if k <= size)


LISTS = "^insert: |^exchange: (Word|[ab] =)"  # of the largest numbers
CONTAINED_IN_FEW = (LISTS, "^weights_of_terms: ", "^weigh_few: .*of<")


def few(scalar: str, length: int, k: int) -> Case:
    """Rows that are no multiple of 16 bytes and ties at the limit are rare; that k entries of some of a
    warp's rows are in the support is not. Half types need no double.
    """
    number = tuning()
    per_chunk = number["kChunkBytes"] // BYTES[scalar]
    chunks = min(length // per_chunk, number["kChunksPerLane"])
    lanes = length // per_chunk // chunks
    size = list_size(k)
    return Case(
        f"few, {scalar}, chunks: {chunks}, list: {size}",
        *(scalar, length, k),
        entries=number["kStageChunks"] * per_chunk,
        loop=STAGES,
        rare=(*rare_of_few(scalar, size), r"^(to|from)_chunks: ", "^store_rows: "),
        contains=CONTAINED_IN_FEW,
        trips={
            **WAITS,
            "^weigh_short_rows: for": number["kChunksPerLane"] // chunks,
            "^(merge_lanes|count_equal): for": log2(lanes),
            "^sum_of_row: ": max(1, log2(lanes)),
        },
        **of_pipes(number["kWarpsPerBlock"]),
    )


def few_of_block(scalar: str, length: int, k: int) -> Case:
    """As few(), for rows of several stages."""
    number = tuning()
    size = list_size(k)
    warps = length * BYTES[scalar] // number["kStageBytes"]
    return Case(
        f"few_of_block, {scalar}, list: {size}",
        *(scalar, length, k),
        entries=length // warps,
        loop=STAGES,
        rare=rare_of_few(scalar, size),
        contains=CONTAINED_IN_FEW,
        trips={**WAITS, **trips_of_blocks(warps)},
        **of_pipes(warps),
    )


def rare_of_few(scalar: str, size: int) -> tuple[str, ...]:
    return (
        *(*RARE, "^where: ", "^clear: ", "^behind_first: "),
        "^weigh_few: .*of<kFewer>" if size > 4 else "^weigh_few: .*of<K>",
        *(("wide_weights",) if scalar != "float32" else ()),
    )


def trips_of_blocks(warps: int) -> dict[str, float]:
    """Of what the warps of a block do to know of a whole row or segment."""
    return {
        r"^merge_lanes: .*\nmerge_over_row: .*\blists\b": log2(warps),
        "^merge_lanes: ": log2(WARP),
        "^merge_over_row: while": log2(warps),
        "^running_sum: ": log2(WARP),
    }


def many(scalar: str, length: int, k: int) -> Case:
    """Rows of N(0, 1)."""
    number = tuning()
    per_chunk = number["kChunkBytes"] // BYTES[scalar]
    chunks = min(length // per_chunk, number["kChunksPerLane"])
    lanes = length // per_chunk // chunks
    steps = steps_of_normal_rows(length, per_chunk, chunks)
    return Case(
        f"many, {scalar}, chunks: {chunks}",
        *(scalar, length, k),
        entries=number["kStageChunks"] * per_chunk,
        loop=STAGES,
        rare=(*rare_of_many(scalar, steps), r"^(to|from)_chunks: ", "^store_rows: "),
        contains=("^excess_over: ", "^write_weights: "),
        trips={
            **WAITS,
            "^weigh_short_rows: for": number["kChunksPerLane"] // chunks,
            "^largest_of_row: for": log2(lanes),
            "^sum_of_row: ": max(1, log2(lanes)),
            **trips_of_many(steps),
        },
        **of_pipes(number["kWarpsPerBlock"]),
    )


def many_of_block(scalar: str, length: int, k: int) -> Case:
    """As many(), for rows of several stages."""
    number = tuning()
    warps = length * BYTES[scalar] // number["kStageBytes"]
    per_chunk = number["kChunkBytes"] // BYTES[scalar]
    steps = steps_of_normal_rows(length, per_chunk, number["kChunksPerLane"])
    return Case(
        f"many_of_block, {scalar}",
        *(scalar, length, k),
        entries=length // warps,
        loop=STAGES,
        rare=rare_of_many(scalar, steps),
        contains=("^excess_over: ", "^write_weights: "),
        trips={**WAITS, **trips_of_blocks(warps), **trips_of_many(steps)},
        **of_pipes(warps),
    )


def rare_of_many(scalar: str, steps: "Steps") -> tuple[str, ...]:
    """It is rare that candidates are more than k or many, or that half types need integers."""
    return (
        *(*RARE, "for_each_chunk", "find_limit", r"^find_candidates: .*\b(limit|least)\b"),
        *("^clear: ", "Entries::clear"),
        *(() if steps.is_short else (r"^find_candidates: bar = raised<.*\bwords\b",)),
        *(("!are_coarse",) if scalar != "float32" else ()),
    )


def trips_of_many(steps: "Steps") -> dict[str, float]:
    return {
        "^raised: ": steps.estimates,
        "^weigh: ": steps.sums,
        r"^for_each: while.*\nsum_of: ": steps.summed / steps.sums,
        r"^for_each: while.*\nweigh: ": steps.compared / steps.sums,
        r"^for_each: while.*\nwrite_weights: ": steps.weighed,
        r"^for_each: while.*\nclear_entries: ": 0,
    }


def segments_few(scalar: str, length: int, k: int) -> Case:
    """Rows of N(0, 1). Ties at the limit are rare."""
    size = list_size(k)
    return of_segments(
        f"segments_few, {scalar}, list: {size}",
        *(scalar, length, k),
        candidates=first_of_normal_rows(*segment_of(scalar), k),
        rare=("^find_few: .*(above_last|left)",),
        contains=(LISTS, "^find_few: found.mask = "),
        trips={},
    )


def segments_many(scalar: str, length: int, k: int) -> Case:
    """Rows of N(0, 1), k up to the lanes of a warp."""
    entries, per_lane = segment_of(scalar)
    chunks = tuning()["kChunksPerLane"]
    steps = steps_of_normal_rows(entries, per_lane // chunks, chunks)
    return of_segments(
        f"segments_many, {scalar}",
        *(scalar, length, k),
        candidates=steps.candidates,
        rare=(*rare_of_many(scalar, steps), "^write_all: "),
        contains=("^excess_over: ",),
        trips=trips_of_many(steps),
    )


def segment_of(scalar: str) -> tuple[int, int]:
    """The entries of the longest one, and those of a lane."""
    number = tuning()
    entries = number["kStageBytes"] // BYTES[scalar]
    return number["kMostWarpsPerRow"] * entries, entries // WARP


def of_segments(
    kernel: str,
    scalar: str,
    length: int,
    k: int,
    candidates: "Candidates",
    rare: tuple[str, ...],
    contains: tuple[str, ...],
    trips: Mapping[str, float],
) -> Case:
    """Segments of rows that begin with chunks. Only one warp of a block orders the candidates."""
    number = tuning()
    warps = number["kMostWarpsPerRow"]
    steps = number["kStageChunks"] // WARP
    return Case(
        kernel,
        *(scalar, length, k),
        entries=number["kStageBytes"] // BYTES[scalar],
        loop=STAGES,
        rare=(*RARE, *rare, "^store_rows: if .*entry"),
        contains=(*contains, r"^write_ordered: lists_\.keys", "^fill: "),
        trips={
            **WAITS,
            **trips_of_blocks(warps),
            "^offsets: for": 1,
            r"^for_each_place: .*\nwrite_ordered: ": candidates.of_lane,
            "^write_ordered: for": candidates.of_row,
            "^fill: for": (steps, "STS.128"),
            **trips,
        },
        shares={
            **ONE_BATCH_DIMENSION,
            r"^write_ordered: (int const lane|One|if|own|rank|int rank|for|lists_)": 1 / warps,
        },
        **of_pipes(warps),
    )


def support_backward(scalar: str, length: int, k: int) -> Case:
    """Nothing but the result passes through memory: little is read. Rows that do not begin with
    chunks, parts of rows and what is no number are rare."""
    number = tuning()
    row_bytes = length * BYTES[scalar]
    is_staged = row_bytes <= k * number["kSectorBytes"] * number["kMostSectorsPerValue"]
    most_bytes = number["kStageBytes"] if is_staged else number["kTurnBytes"]
    turn_bytes = min(WARP, most_bytes // row_bytes) * row_bytes
    stores = turn_bytes / (WARP * number["kChunkBytes"])
    return Case(
        f"support_backward, {scalar}, values {'among' if is_staged else 'over'} zeros, k = 3",
        *(scalar, length, k),
        entries=turn_bytes // BYTES[scalar],
        loop="^run: for",
        rare=(
            *(*RARE, "^write: (if|auto const write_one)", "^write_one: ", "^put_nan: "),
            *(
                r"^turn_of: .*\b(row|turn|turns_per_row)\b.* = ",
                "^turn_of: return {row",
                "^rows_of: .*columns",
            ),
            *RARE_BACKWARD,
        ),
        contains=("^make: ", r"^write: chunks\["),
        trips={
            "^reduce: for": 0,  # a lane to a row
            "^write: for": (stores, "STG.E.128"),
        },
        warps=number["kWarpsPerBlock"],
        most_blocks=8,  # as blocks_of_zeros() says
        bytes_ahead=turn_bytes,
        dynamic_bytes=0,
        tensors=1,
    )


def weights_backward(scalar: str, length: int) -> Case:
    """Rows that do not begin with chunks, and what is no number, are rare."""
    number = tuning()
    per_chunk = number["kChunkBytes"] // BYTES[scalar]
    chunks = BYTES[scalar]  # as most_held_chunks() says
    lanes = length // per_chunk // chunks
    return Case(
        f"weights_backward, {scalar}, chunks: {chunks}",
        *(scalar, length, length),
        entries=WARP * chunks * per_chunk,
        loop="^weights_backward_kernel: for",
        rare=(*RARE, "^for_each_entry: ", *RARE_BACKWARD, "EntryCount"),
        contains=("^store: .*Chunk", "^load: .*Chunk"),
        trips={"^reduce: for": log2(lanes)},
        warps=number["kWarpsPerBlock"],
        most_blocks=4,  # as blocks_of_gradients() says
        bytes_ahead=2 * WARP * chunks * number["kChunkBytes"],
        dynamic_bytes=0,
        tensors=3,
    )


def columns_few(scalar: str, length: int, k: int) -> Case:
    """A whole kernel, for rows of N(0, 1). As of 128 MiB, its blocks have half the warps of a
    multiprocessor, each with a part of the block's rows. It is rare that a list is full of what may be
    in the support, and that rows end within a turn."""
    number = tuning()
    rows = WARP * 4 // BYTES[scalar]
    warps = number["kColumnWarps"] // 2
    lists = lists_of_normal_rows(rows, length, warps, k)
    size = number["kMostFewColumns"]
    # Half of the warps take part in the first merge, fewer in the next ones.
    merges = log2(warps)
    merging = (warps - 1) / warps / merges
    # As column_warp_bytes() says.
    list_words = (k + number["kColumnListSlack"]) * 2 * WARP + 1
    warp_bytes = 4 * (WARP * number["kMaximaPerPart"] + rows + list_words)
    return Case(
        f"columns_few, {scalar}, list: {size}",
        *(scalar, length, k),
        entries=rows * length // warps,
        loop="",
        rare=(
            *(*RARE, "read_and_clear_some", "keep_first", "give_up"),
            *("support[.]begin", "^publish: (memory_.*(first|second)[)];|for)"),
            *("wide_weights",) * (scalar != "float32"),
        ),
        contains=("^put: ", "^raise_bounds: ", "^insert: ", "^write_row: result"),
        trips={
            "^offsets: for": 1,
            "^list_and_clear: for": length / warps / number["kColumnsAhead"],
            "^(make_room|raise_bounds|write): for .* row ": rows / WARP,
            "^bound_of_parts: for": warps,
            r"(?s)^for_each_place: .*\bmake_room: ": lists.raised,
            "^for_each_place: for": lists.listed,
            "^write: for .* i ": lists.kept,
            "^merge_parts: for .* half ": merges,
            "^(merge_parts|write_row): for .* i ": size,
            "^fill_nan_rows: for": 0,
        },
        shares={
            r"^add: list\(row\)\.put": lists.put,
            r"^make_room: (?!if \(!__any_sync\(kAllLanes, count)": lists.raises,
            "^merge_parts: (first_word|second_word|for .* i |first[.]insert)": merging,
            "^write: if .*write_row": 1 / warps,
        },
        warps=warps,
        most_blocks=2,
        bytes_ahead=number["kColumnsAhead"] * WARP * 4,
        dynamic_bytes=warps * warp_bytes,
    )


def held(scalar: str, length: int, k: int) -> Case:
    """Rows of N(0, 1) that begin between chunks. It is rare that the list of candidates is full."""
    number = tuning()
    per_chunk = number["kChunkBytes"] // BYTES[scalar]
    chunks = ceil(length / per_chunk)
    steps = chunks // WARP
    at_once = 8  # as lane_maximum() has
    lanes, rounds, candidates = candidates_of_normal_rows(length, per_chunk, k)
    return Case(
        f"held, {scalar}, small k",
        *(scalar, length, k),
        entries=length,
        loop=STAGES,
        rare=(
            *(*RARE, "^add: keep_first", "^included: "),
            "^rank: rank_of<1>" if candidates > WARP else "^rank: rank_of<kCand",
            "^kth_of_lanes: (kth =|seen)" if k > number["kMostRounds"] else "^sorted_lanes: ",
        ),
        contains=("^append: ", "^fill: ", "^weight_of: "),
        trips={
            **WAITS,
            "^offsets: for": 1,
            r"^lane_maximum: for \(; \(step \+": steps // at_once,
            r"^lane_maximum: for \(; step \*": ceil(chunks / WARP) - steps // at_once * at_once,
            "^kth_of_lanes: ": k,
            "^list_into: for": lanes,
            "^list_chunks_of: for": ceil(steps / WARP),
            "^list_chunks_of: while": rounds,
            "^rank_of: for": candidates,
            "^fill: for": (steps, "STS.128"),
        },
        shares=ONE_BATCH_DIMENSION,
        most_blocks=number["kMostBlocksOfMultiprocessor"],
        **of_stages(number["kStages"], (chunks + 1) * number["kChunkBytes"], warps=1),
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


@dataclass(frozen=True)
class Candidates:
    """Of rows or segments, on the average."""

    of_row: float
    of_lane: float  # of that lane of each warp that has most


@cache
def first_of_normal_rows(length: int, per_lane: int, k: int) -> Candidates:
    """The k largest entries, as far as they may be in the support."""
    generator = random.Random(0)
    rows = []
    for _ in range(32):
        row = [generator.gauss(0, 1) for _ in range(length)]
        bound = max(sorted(row, reverse=True)[k - 1], max(row) - 1)
        parts = (row[i : i + per_lane] for i in range(0, length, per_lane))
        rows.append([[x for x in part if x >= bound] for part in parts])
    found = sum(len(lane) for row in rows for lane in row)
    return Candidates(found / len(rows), most_of(rows))


def most_of(rows: Iterable[list[list[float]]]) -> float:
    """Of the numbers of entries that the lanes have of rows, the largest of a warp."""
    counts = [len(lane) for row in rows for lane in row]
    warps = [counts[i : i + WARP] for i in range(0, len(counts), WARP)]
    return sum(map(max, warps)) / len(warps)


@dataclass(frozen=True)
class Steps:
    """Of warps whose lanes have rows of many_kernel, on the average. Turns of a loop are those of the
    lane that has most."""

    candidates: Candidates
    is_short: bool  # all entries are looked at from the beginning
    estimates: float  # of Newton's method
    sums: float
    summed: float  # candidates, in all sums
    compared: float  # candidates, between sums
    weighed: float


@cache
def steps_of_normal_rows(length: int, per_chunk: int, chunks: int) -> Steps:
    """Without the rounding of numbers to their type."""
    generator = random.Random(0)
    per_lane = per_chunk * chunks
    is_short = per_lane <= tuning()["kMostEntriesAtOnce"]
    per_word = per_chunk // 4
    turns = 32
    found = listed = estimates = sums = summed = weighed = 0.0
    for _ in range(turns):
        rows = [
            [generator.gauss(0, 1) for _ in range(length)]
            for _ in range(ceil(WARP * per_lane / length))
        ]
        starts = range(0, length, per_chunk)
        maxima = [
            [
                max(row[i + half : i + per_chunk : per_word])
                for i in starts
                for half in range(per_word)
            ]
            for row in rows
        ]
        bars, steps = raised(rows if is_short else maxima, [max(row) - 1 for row in rows])
        estimates += steps
        lanes = [
            [[x for x in row[i : i + per_lane] if x > bar] for i in range(0, length, per_lane)]
            for row, bar in zip(rows, bars, strict=True)
        ]
        found += sum(len(lane) for row in lanes for lane in row) / len(rows)
        listed += most_of(lanes)
        goes_on = True
        while goes_on:
            most = most_of(lanes)
            sums += 1
            summed += most
            thresholds = [(sum(map(sum, row)) - 1) / sum(map(len, row)) for row in lanes]
            goes_on = any(
                x <= threshold
                for row, threshold in zip(lanes, thresholds, strict=True)
                for lane in row
                for x in lane
            )
            lanes = [
                [[x for x in lane if x > threshold] for lane in row]
                for row, threshold in zip(lanes, thresholds, strict=True)
            ]
        weighed += most
    return Steps(
        Candidates(found / turns, listed / turns),
        is_short,
        *(x / turns for x in (estimates, sums, summed, summed - weighed, weighed)),
    )


def raised(rows: list[list[float]], bars: list[float]) -> tuple[list[float], int]:
    """Bars just below the thresholds of the rows of a warp, and the steps that it takes."""
    steps = 0
    while steps < tuning()["kMostEstimates"]:
        steps += 1
        thresholds = []
        for row, bar in zip(rows, bars, strict=True):
            above = [x for x in row if x > bar]
            thresholds.append((sum(above) - 1) / len(above) - (abs(bar) + 1) * 2**-21)
        if all(threshold <= bar for threshold, bar in zip(thresholds, bars, strict=True)):
            break
        bars = list(map(max, thresholds, bars))
    return bars, steps


@dataclass(frozen=True)
class Lists:
    """Of warps whose lanes list candidates of parts of rows side by side, on the average. Lengths are
    those of the longest list of a warp."""

    put: float  # of the steps that put an entry of some lane in its list
    raises: float  # of bounds, in a turn of the loop
    raised: float  # length of a list before that
    listed: float  # at the end of the loop
    kept: float  # after the last raise


@cache
def lists_of_normal_rows(rows: int, length: int, parts: int, k: int) -> Lists:
    """Simulates the lists of candidates of rows of normal numbers that are not rounded, for k <= parts.
    All warps of a block are taken to be in the same turn of the loop."""
    number = tuning()
    generator = random.Random(0)
    ahead, classes = number["kColumnsAhead"], number["kMaximaPerPart"]
    per_group = parts // k
    # For each part and row: its maxima by class of steps, its bound, its list.
    maxima = [[[-inf] * classes for _ in range(rows)] for _ in range(parts)]
    bounds = [[-inf] * rows for _ in range(parts)]
    lists: list[list[list[float]]] = [[[] for _ in range(rows)] for _ in range(parts)]

    def longest(part: int) -> float:
        """Of the rows of a word, on the average."""
        of_lane = rows // WARP
        halves = [lists[part][half::of_lane] for half in range(of_lane)]
        return sum(max(map(len, half)) for half in halves) / of_lane

    def raise_bounds(part: int) -> None:
        for row in range(rows):
            of_parts = [max(of_part[row]) for of_part in maxima]
            starts = range(0, k * per_group, per_group)
            reached = min(max(of_parts[i : i + per_group]) for i in starts)
            bound = max(reached, min(maxima[part][row]), max(of_parts) - 1)
            bounds[part][row] = max(bounds[part][row], bound)
            lists[part][row] = [x for x in lists[part][row] if x >= bound]

    put = raises = raised = 0.0
    turns = length // parts // ahead
    for _, part in product(range(turns), range(parts)):
        if max(map(len, lists[part])) > k + number["kColumnListSlack"] - ahead:
            raises += 1
            raised += longest(part)
            raise_bounds(part)
        for step, half in product(range(ahead), range(rows // WARP)):
            is_put = False
            for row in range(half, rows, rows // WARP):
                entry = generator.gauss(0, 1)
                of_row = maxima[part][row]
                of_row[step % classes] = max(of_row[step % classes], entry)
                if entry >= bounds[part][row]:
                    lists[part][row].append(entry)
                    is_put = True
            put += is_put
    listed = sum(map(longest, range(parts))) / parts
    for part in range(parts):
        raise_bounds(part)
    kept = sum(map(longest, range(parts))) / parts
    steps = length * rows / WARP
    return Lists(put / steps, raises / turns / parts, raised / raises, listed, kept)


CASES = [
    *(
        few(scalar, length, k)
        for scalar in BYTES
        for k in (3, 8)
        for length in (8, 16, 32, 64, 256, 1024)
        if k < length or scalar == "bfloat16"
    ),
    *(few_of_block(scalar, 4096, k) for scalar in BYTES for k in (3, 8)),
    held("float32", 4001, 3),
    *(segments_few(scalar, 1 << 17, k) for scalar in BYTES for k in (3, 8)),
    *(many(scalar, length, k) for scalar in BYTES for length, k in ((16, 16), (64, 32), (256, 32))),
    *(many_of_block(scalar, 4096, 32) for scalar in BYTES),
    *(segments_many(scalar, 1 << 17, 32) for scalar in BYTES),
    *(support_backward(scalar, length, 3) for scalar in BYTES for length in (16, 256, 1024)),
    *(weights_backward(scalar, 256) for scalar in BYTES),
    *(columns_few(scalar, 4096, 3) for scalar in BYTES),
]
