"""Shows which small changes of the maths and of the CPU engine no test notices.

python -m tools.mutate [--files FILE...] [--sample N --seed S] [--jobs J] [--list]

Turns one comparison, sign, literal, `&&`, min or condition at a time into another one, compiles the
tests that can notice it with the changed file in front of the include path, runs them, and prints a
table in Markdown. tests/mutants.toml has the changes that no test can notice, each with the reason:
these are not tried. Any other that survives is a failure. Left are files that cannot change a
result, and lines for AVX-512 where the processor lacks it. Needs g++ and GoogleTest as Debian's
package libgtest-dev has it.
"""

import argparse
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "csrc"
EXPLAINED = ROOT / "tests" / "mutants.toml"
FILES = ["mappings/*.h", "rowwise/*.h", "rowwise/cpu/**/*.h", "rowwise/cpu/**/*.cpp"]
# What is chosen by them is the way to a result, not the result.
LEFT_OUT = {"tuning.h", "huge_pages.h", "huge_pages.cpp", "capability.h", "capability.cpp"}
SCALARS = ["float", "double", "Float16", "BFloat16"]

# Where clang-format has been, an operator between spaces is no bracket of a template.
BETWEEN_SPACES = {
    "<": ["<=", ">="],
    "<=": ["<", ">"],
    ">": [">=", "<="],
    ">=": [">", "<"],
    "==": ["!="],
    "!=": ["=="],
    "&&": ["||"],
    "||": ["&&"],
    "+": ["-"],
    "-": ["+"],
    "+=": ["-="],
    "-=": ["+="],
}
WORDS = {"min": ["max"], "max": ["min"], "larger": ["smaller"], "smaller": ["larger"]}
OTHERS = {"++": ["--"], "--": ["++"], "-": [""], "!": [""]}
TOKEN = re.compile(
    r"(?<=\s)(?P<spaced>[<>=!]=|[<>]|&&|\|\||[-+]=?)(?=\s)"
    r"|\b(?P<word>min|max|larger|smaller)(?=[<(])"
    r"|(?P<other>\+\+|--|(?<=[\s(\[{,])-(?=[\w(])|(?<=[\s(])!(?=[\w(]))"
    r"|(?<![\w.<])(?P<integer>0x[0-9a-f]+|\d+)(?=[UL]*(?![\w.>]))"
    r"|(?<![\w.])(?P<real>\d+\.\d+)(?=F?\b)"
    r"|\b(?:if|while) (?P<condition>\()"
)
NO_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\bstatic_assert\(.*?\);|\[\[.*?\]\]'
    r"|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Mutation:
    file: str  # below csrc
    begin: int
    end: int
    old: str
    new: str

    def applied_to(self, text: str) -> str:
        return text[: self.begin] + self.new + text[self.end :]

    def line(self, text: str) -> int:
        return text.count("\n", 0, self.begin) + 1

    def becomes(self, text: str) -> str:
        """The line that is changed."""
        return self.applied_to(text).splitlines()[self.line(text) - 1].strip()


def alternatives(token: re.Match[str], text: str) -> Iterator[tuple[int, str]]:
    """What a token may become, each with the end of what it replaces."""
    kind, end = token.lastgroup or "", token.end()
    word = token[kind]
    if kind == "integer":
        value = int(word, 0)
        for other in [value + 1] if value == 0 else [value - 1, value + 1]:
            yield end, f"{other:#x}" if word.startswith("0x") else str(other)
    elif kind == "real":
        yield end, str(float(word) + 1)
    elif kind == "condition":
        end = closing_bracket(text, token.start(kind))
        yield end, f"(!{text[token.start(kind) : end]})"
    else:
        table = {"spaced": BETWEEN_SPACES, "word": WORDS, "other": OTHERS}[kind]
        for other_word in table[word]:
            yield end, other_word


def closing_bracket(text: str, opening: int) -> int:
    depth = 0
    for position in range(opening, len(text)):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        if depth == 0:
            return position + 1
    raise ValueError("a bracket is not closed")


def mutations_of(file: str, lines: Container[int]) -> Iterator[Mutation]:
    text = (SOURCES / file).read_text()
    code = NO_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    for token in TOKEN.finditer(code):
        begin = token.start(token.lastgroup or 0)
        if code.count("\n", 0, begin) + 1 in lines:
            for end, new in alternatives(token, code):
                yield Mutation(file, begin, end, text[begin:end], new)


@dataclass(frozen=True)
class Suite:
    """Sources of the engine and tests that make one program together."""

    name: str
    tests: list[str]
    sources: list[str] = field(default_factory=list)
    scalars: list[str] = field(default_factory=lambda: SCALARS)
    flags: tuple[str, ...] = ("-O1",)


ENGINE = [
    f"rowwise/cpu/{name}.cpp"
    for name in [
        "capability",
        "huge_pages",
        "rows/thread_memory",
        "entmax",
        "entmax_kernels",
        "entmax15_kernels",
        "softmax_kernels",
        "sparse_softmax_kernels",
    ]
]
ENGINE_TESTS = [
    "test_ordered_key",
    "test_entmax",
    "test_bits",
    "test_cpu_backward",
    "test_cpu_forward",
]
MAPPINGS = Suite(
    "mappings", ["test_fixed_point", "test_exponential", "test_mappings"], flags=("-O0",)
)
PLAIN = Suite("plain", ["test_float16", "test_ordered_key", "test_row_geometry"])
BITS = Suite("bits", ["test_bits"], ENGINE, ["float"])
WHOLE = Suite("whole", ENGINE_TESTS, ENGINE, flags=("-O1", "-fsanitize=address"))
# With vectors of more than 16 bytes, of 64 where the processor has them.
WIDER = [
    Suite(name, ["test_bits", "test_cpu_forward"], ENGINE, flags=("-O1", *flags))
    for name, flags in {"avx2": ["-mavx2", "-mf16c"], "native": ["-march=native"]}.items()
    if platform.machine() == "x86_64"
]
MEMORY = Suite("memory", ["test_cpu_memory"], [*ENGINE, "rowwise/cpu/largest.cpp"])
SIMT = [f"../tests/simt/{name}.cpp" for name in ["fiber", "grid", "shared_memory", "warp"]]
LARGEST = Suite("largest", ["test_largest"], ["rowwise/cpu/largest.cpp", *SIMT])


def suites_for(file: str) -> list[Suite]:
    """The tests that can notice a change of the file; later ones run where those before did not."""
    if file.endswith("largest.cpp"):
        return [LARGEST]
    if file.startswith("mappings/"):
        return [MAPPINGS, BITS, WHOLE]
    return [*([] if "/cpu/" in file else [PLAIN]), BITS, WHOLE, *WIDER, MEMORY]


# Every header of the system that the sources include, so that it is compiled once, and that
# what is undefined after it changes the project's own files alone.
PRELUDE = """
#include <gtest/gtest.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <bits/stdc++.h>
"""


class Builder:
    """Compiles one suite, and runs it, with any file in front of the sources."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        self.suite = suite
        self.folder = folder / suite.name
        self.limit = 0.0
        for source in ["tests/cpp/*.h", "tests/cpp/*.cpp", "tests/simt/*.h"]:
            for path in ROOT.glob(source):
                self._write(path.relative_to(ROOT), path.read_text())
        for name in ENGINE:
            self._write(Path("csrc") / name, (SOURCES / name).read_text())
        self._write(Path("prelude.h"), PRELUDE)
        # The engine's choice of an instruction set, here that of the compiler's flags, is by this.
        lines = ["#undef __x86_64__"] if set(ENGINE) <= set(suite.sources) else []
        names = [*suite.sources, *(f"{name}.cpp" for name in suite.tests)]
        self._write(Path("all.cpp"), "\n".join([*lines, *(f'#include "{name}"' for name in names)]))
        self._run([*self._compiler(), "-x", "c++-header", "prelude.h", "-o", "prelude.h.gch"])

    def _write(self, path: Path, text: str) -> None:
        """A copy, for the suite's scalars alone."""
        others = "|".join(name for name in SCALARS if name not in self.suite.scalars) or "none"
        text = re.sub(rf"(?m)^(template Kernels<|ZETA_INSTANTIATE\()({others})[>)].*\n", "", text)
        text = re.sub(
            r"(using Scalars = testing::Types<)[^>]*", rf"\1{', '.join(self.suite.scalars)}", text
        )
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def _compiler(self) -> list[str]:
        flags = ["-std=c++20", "-w", "-ffp-contract=off", "-fno-trapping-math"]
        # As in the tests under sanitizers, an index beyond its array is noticed, and a shift by all
        # bits of a number.
        checks = ["-fsanitize=bounds,shift", "-fsanitize-undefined-trap-on-error"]
        return [os.environ.get("CXX", "g++"), *self.suite.flags, *flags, *checks]

    def _run(self, command: list[str]) -> str:
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    def _compile(self, mutant: Path, *options: str) -> list[str]:
        folders = [mutant, "csrc", SOURCES, "tests/cpp", "tests", ROOT / "tests/simt/include"]
        includes = [f"-I{folder}" for folder in folders]
        return [*self._compiler(), "-include", "prelude.h", *includes, "all.cpp", *options]

    def lines(self) -> dict[str, set[int]]:
        """The lines of each source that the compiler sees."""
        found: dict[str, set[int]] = {}
        file, line = "", 0
        for text in self._run(self._compile(Path("unchanged"), "-E")).splitlines():
            if marker := re.match(r'# (\d+) "(?:.*/csrc/|csrc/)?([^"]*)"', text):
                line, file = int(marker[1]), marker[2]
                continue
            if text.strip():
                found.setdefault(file, set()).add(line)
            line += 1
        return found

    def check(self) -> None:
        """Runs what is not changed; ten times that long is the limit for what is."""
        begin = time.monotonic()
        self.limit = 600
        verdict = self.verdict(Path("unchanged"))
        if verdict:
            raise SystemExit(f"mutate: the suite {self.suite.name} fails unchanged: {verdict}")
        self.limit = 10 + 10 * (time.monotonic() - begin)

    def verdict(self, mutant: Path) -> str:
        """Which test notices the files of a folder, and how; empty if none does."""
        program = self.folder / mutant.name
        libraries = ["-lgtest", "-lgtest_main", "-o", str(program)]
        try:
            self._run(self._compile(mutant, *libraries))
        except subprocess.CalledProcessError:
            return "does not compile"
        # A change may ask for any amount of memory; AddressSanitizer reserves more than there is.
        gigabytes = 8
        limits = ["prlimit", "--core=0"]
        if "-fsanitize=address" not in self.suite.flags:
            limits.append(f"--as={gigabytes << 30}")
        options = ["--gtest_break_on_failure", "--gtest_catch_exceptions=0"]
        try:
            run = subprocess.run(
                [*limits, program, *options],
                check=False,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.limit,
                env=os.environ | {"ASAN_OPTIONS": f"hard_rss_limit_mb={gigabytes << 10}"},
            )
            code, output = run.returncode, run.stdout
        except subprocess.TimeoutExpired as late:
            code, output = None, (late.stdout or b"").decode(errors="replace")
        finally:
            program.unlink()
        names = re.findall(r"\[ RUN      \] (\S+)", output) or ["the start"]
        return "" if code == 0 else f"{names[-1]}{' hangs' if code is None else ''}"


def judge(mutation: Mutation, builders: list[Builder], folder: Path) -> str:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        changed = Path(name) / mutation.file
        changed.parent.mkdir(parents=True)
        changed.write_text(mutation.applied_to((SOURCES / mutation.file).read_text()))
        verdict = ""
        for builder in builders:
            verdict = verdict or builder.verdict(Path(name))
    print(mutation.file, mutation.begin, verdict or "SURVIVED", file=sys.stderr, flush=True)
    return verdict


def table(mutations: Iterable[Mutation], verdicts: Iterable[str]) -> Iterator[str]:
    yield "| where | change | becomes | noticed by |\n|---|---|---|---|"
    for mutation, verdict in zip(mutations, verdicts, strict=True):
        text = (SOURCES / mutation.file).read_text()
        cells = [f"{mutation.old} → {mutation.new or 'nothing'}", mutation.becomes(text)]
        quoted = " | ".join(f"`` {' '.join(cell.split())} ``".replace("|", r"\|") for cell in cells)
        where = f"{mutation.file}:{mutation.line(text)}"
        yield f"| {where} | {quoted} | {verdict or '**survived**'} |"


def explanations(mutations: Iterable[Mutation]) -> dict[Mutation, str]:
    """Why no test can notice some of them."""
    reasons = {
        (group["file"], line): group["why"]
        for group in tomllib.loads(EXPLAINED.read_text())["mutants"]
        for line in group["become"]
    }
    texts = {mutation.file: (SOURCES / mutation.file).read_text() for mutation in mutations}

    def key(mutation: Mutation) -> tuple[str, str]:
        return mutation.file, mutation.becomes(texts[mutation.file])

    # Of any line, since other processors have others of them.
    every_line = range(sys.maxsize)
    known = {key(mutation) for file in texts for mutation in mutations_of(file, every_line)}
    for file, line in reasons.keys() - known:
        if file in texts:
            raise SystemExit(f"{EXPLAINED.name}: no change of {file} makes a line {line!r}")
    return {mutation: reasons[key(mutation)] for mutation in mutations if key(mutation) in reasons}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--files", nargs="+", default=FILES, help="patterns below csrc")
    parser.add_argument("--sample", type=int, help="so many of the changes, by chance")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--first-suite", action="store_true", help="only the fastest tests")
    parser.add_argument("--list", action="store_true", help="list the changes, try none")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    files = sorted({path for pattern in options.files for path in SOURCES.glob(pattern)})
    names = [str(path.relative_to(SOURCES)) for path in files if path.name not in LEFT_OUT]
    with tempfile.TemporaryDirectory(prefix="mutate-") as name:
        folder = Path(name)
        mutations: list[Mutation] = []
        suites = {file: suites_for(file)[: 1 if options.first_suite else None] for file in names}
        needed = {suite.name: suite for of_file in suites.values() for suite in of_file}
        builders = {name: Builder(suite, folder) for name, suite in needed.items()}
        lines = {name: builder.lines() for name, builder in builders.items()}
        for file in names:
            seen = [lines[suite.name].get(file, set()) for suite in suites[file]]
            mutations.extend(mutations_of(file, set().union(*seen)))
        explained = explanations(mutations)
        if options.sample is not None:
            chosen = random.Random(options.seed).sample(range(len(mutations)), options.sample)
            mutations = [mutations[i] for i in sorted(chosen)]
        if options.list:
            print("\n".join(table(mutations, ["not tried"] * len(mutations))))
            return
        for builder in builders.values():
            builder.check()
        to_try = [mutation for mutation in mutations if mutation not in explained]
        with ThreadPoolExecutor(options.jobs) as pool:
            tried = pool.map(
                lambda mutation: judge(
                    mutation, [builders[suite.name] for suite in suites[mutation.file]], folder
                ),
                to_try,
            )
            verdicts = dict(zip(to_try, tried, strict=True))
    reasons = {mutation: f"nothing: {reason}" for mutation, reason in explained.items()}
    print("\n".join(table(mutations, [(reasons | verdicts)[mutation] for mutation in mutations])))
    kinds = Counter(
        {"": "survived", "does not compile": "do not compile"}.get(verdict, "noticed")
        for verdict in verdicts.values()
    )
    print(
        f"\n{len(mutations)} mutants: {kinds['noticed']} noticed, {kinds['do not compile']} do not "
        f"compile, {len(mutations) - len(to_try)} explained in {EXPLAINED.name}, "
        f"{kinds['survived']} survived"
    )
    if kinds["survived"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
