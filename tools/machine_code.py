"""The control flow of a CUDA kernel's machine code, and which lines of source it comes from."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CSRC = Path(__file__).resolve().parents[1] / "csrc"


@dataclass(frozen=True)
class Instruction:
    name: str
    is_conditional: bool
    target: str  # label of a branch
    places: tuple[str, ...]  # "function: line", that of the innermost function first

    @property
    def base(self) -> str:
        return self.name.partition(".")[0]

    def is_of(self, pattern: str) -> bool:
        return any(re.search(pattern, place) for place in self.places)


@cache
def places_of_file(path: str) -> list[str]:
    """Of each line: the function whose definition is the last to begin before, and its text."""
    lines = Path(path).read_text().split("\n")
    function = ""
    places = []
    for i, line in enumerate(lines):
        if re.search(r"\b(__device__|__global__|ZETA_HOST_DEVICE)\b", line):
            text = re.sub(r"__launch_bounds__\(.*?\)", "", " ".join(lines[i : i + 3]))
            name = re.search(r"(?:__device__|__global__|DEVICE)\b.*?(\w+|operator\S+)\(", text)
            function = name[1] if name else function
        places.append(f"{function}: {line.strip()}")
    return places


def instructions_of(text: str) -> tuple[list[Instruction], dict[str, int]]:
    """Of a kernel as nvdisasm -gi writes it, and at which of them its labels are."""
    pattern = re.compile(
        r'^\t//## File "(?P<file>[^"]*)", line (?P<line>\d+)|^(?P<label>\.L_x_\d+):'
        r"|^\s+/\*[0-9a-f]{4,}\*/\s+(?P<condition>@\S+ )?\s*(?P<name>[\w.]+) *(?P<operands>.*?);",
        re.MULTILINE,
    )
    code: list[Instruction] = []
    labels: dict[str, int] = {}
    places: tuple[str, ...] = ()
    is_new = True  # a list of places begins; else it goes on, from a function to its caller
    for match in pattern.finditer(text):
        if match["file"]:
            places = () if is_new else places
            is_new = False
            if match["file"].startswith(str(CSRC)):
                # A line of another file may be attributed to one that is shorter.
                lines = places_of_file(match["file"])
                places += tuple(lines[int(match["line"]) - 1 : int(match["line"])])
        elif match["label"]:
            labels[match["label"]] = len(code)
        else:
            is_new = True
            target = re.search(r"\.L_x_\d+", match["operands"])
            condition = match["condition"] or re.match(r"!?U?P\d", match["operands"])
            is_branch = match["name"].startswith("BRA") and target
            code.append(
                Instruction(
                    match["name"],
                    bool(condition) or ".DIV" in match["name"],
                    target[0] if target and is_branch else "",
                    places,
                )
            )
    return code, labels


# A block on a way, and which of some patterns the way has met up to it, as bits.
Place = tuple[int, int]


@dataclass(frozen=True)
class Loop:
    head: int  # its first block
    blocks: set[int]
    tails: set[int]  # blocks from which it goes back


class Graph:
    """Of the blocks of a kernel's code, by number in the order of their addresses."""

    def __init__(self, text: str) -> None:
        code, labels = instructions_of(text)
        # BRA.DIV goes to what serves lanes that have diverged.
        targets = {
            i: labels[x.target] for i, x in enumerate(code) if x.target and ".DIV" not in x.name
        }
        ends = {i for i, x in enumerate(code) if x.base in ("BRA", "EXIT", "RET")}
        starts = sorted({0, *targets.values(), *(i + 1 for i in ends if i + 1 < len(code))})
        numbers = {start: number for number, start in enumerate(starts)}
        bounds = zip(starts, [*starts[1:], len(code)], strict=True)
        self.blocks = [code[first:last] for first, last in bounds]
        self.next: list[list[int]] = []
        for number, block in enumerate(self.blocks):
            last = starts[number] + len(block) - 1
            follows = last not in ends or code[last].is_conditional
            to = [numbers[targets[last]]] if last in targets else []
            self.next.append(to + [number + 1] * (follows and number + 1 < len(self.blocks)))
        self.reached = self.from_block(0, without=None)
        self.previous: list[list[int]] = [[] for _ in self.blocks]
        for number in self.reached:
            for other in self.next[number]:
                self.previous[other].append(number)
        self.loops = self.natural_loops()

    def from_block(self, first: int, without: int | None) -> set[int]:
        found: set[int] = set()
        left = [first]
        while left:
            number = left.pop()
            if number in found or number == without:
                continue
            found.add(number)
            left += self.next[number]
        return found

    def natural_loops(self) -> list[Loop]:
        loops: dict[int, Loop] = {}
        for tail in self.reached:
            for head in self.next[tail]:
                if head > tail or tail in self.from_block(0, without=head):
                    continue
                loop = loops.setdefault(head, Loop(head, {head}, set()))
                loop.tails.add(tail)
                left = [tail]
                while left:
                    number = left.pop()
                    if number not in loop.blocks:
                        loop.blocks.add(number)
                        left += self.previous[number]
        return list(loops.values())

    def branches(self, loop: Loop) -> list[Instruction]:
        """That go back to its first block."""
        return [self.blocks[tail][-1] for tail in loop.tails]

    def is_at(self, loop: Loop, pattern: str) -> bool:
        """Whether it is closed by a line of source, which its callers' lines follow."""
        return any(re.search(pattern, "\n".join(branch.places)) for branch in self.branches(loop))

    def outermost_loop(self, pattern: str) -> Loop:
        """Of those at a line of source; without a pattern, the whole kernel."""
        if not pattern:
            exits = {b for b in self.reached if self.blocks[b][-1].base == "EXIT"}
            return Loop(0, self.reached, {b for b in exits if not self.next[b]})
        found = [loop for loop in self.loops if self.is_at(loop, pattern)]
        if not found:
            raise ValueError(f"there is no loop {pattern!r}")
        return max(found, key=lambda loop: len(loop.blocks))

    def main_path(self, loop: Loop, rare: Iterable[str], contains: Iterable[str]) -> set[int]:
        """The blocks of all ways through a turn that have what it contains and, with it, the least of
        what is rare. Calls are, too: compilers call functions for such operands as a division's that
        are seldom.
        """
        is_rare = "|".join(rare) or "(?!)"
        costs = {b: cost_of(self.blocks[b], is_rare) for b in loop.blocks}
        patterns = list(contains)
        bits = {
            b: sum(
                1 << i
                for i, pattern in enumerate(patterns)
                if any(x.is_of(pattern) for x in self.blocks[b])
            )
            for b in loop.blocks
        }
        all_bits = (1 << len(patterns)) - 1

        def after(place: Place) -> list[Place]:
            following = (b for b in self.next[place[0]] if b in bits and b != loop.head)
            return [(b, place[1] | bits[b]) for b in following]

        to_place = least_costs([(loop.head, bits[loop.head])], costs, after)
        before = defaultdict(list)
        for place in to_place:
            for other in after(place):
                before[other].append(place)
        ends = [(tail, all_bits) for tail in loop.tails if (tail, all_bits) in to_place]
        if not ends:
            raise ValueError(f"no turn contains all of {patterns}")
        to_end = least_costs(ends, costs, lambda place: before[place])
        least = min(to_place[end] for end in ends)
        return {
            place[0]
            for place, cost in to_end.items()
            if to_place[place] + cost - costs[place[0]] == least
        }


def cost_of(block: list[Instruction], is_rare: str) -> int:
    """Of what is rare, unless hardly any of the block is: an address that rare code needs as well may
    be said to be of that."""
    rare = sum(x.is_of(is_rare) for x in block)
    return sum(x.base == "CALL" for x in block) + (rare if 6 * rare > len(block) else 0)


def least_costs(
    first: Iterable[Place], costs: Mapping[int, int], following: Callable[[Place], list[Place]]
) -> dict[Place, int]:
    """Of ways from one of the first places to each other, with both ends."""
    left = list(first)
    least = {place: costs[place[0]] for place in left}
    while left:
        place = left.pop()
        for other in following(place):
            cost = least[place] + costs[other[0]]
            if cost < least.get(other, cost + 1):
                least[other] = cost
                left.append(other)
    return least
