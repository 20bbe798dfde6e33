"""What the build holds, and what it says of itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zeta
from zeta import _library
from zeta._library import build

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout


def test_version_is_the_same_everywhere():
    assert zeta.__version__ == build.version == (ROOT / "VERSION").read_text().strip()


def test_configuration_is_shown(monkeypatch):
    monkeypatch.setenv("ZETA_CPU_CAPABILITY", "default")
    monkeypatch.setenv("ZETA_HUGE_PAGES", "0")
    shown = run(sys.executable, "-c", "import zeta; print(zeta.show_config())").splitlines()
    cuda = f"CUDA {build.cuda_version} for {', '.join(build.cuda_architectures)}"
    assert shown == [
        f"zeta {zeta.__version__} built with:",
        f"  - build {build.build_id}",
        f"  - torch {build.torch_version}",
        f"  - {build.compiler}",
        f"  - {cuda if build.cuda_version else 'no CUDA kernels'}",
        "  - CPU kernels in use: default",
        "  - huge pages: not asked for",
    ]


def exported(library):
    printed = run("nm", "--dynamic", "--defined-only", "--demangle", library)
    return {line.split(maxsplit=2)[2].partition("(")[0] for line in printed.splitlines()}


def test_library_exports_nothing_but_its_interface():
    names = ["entmax", "sparse_softmax", "topk_softmax"]
    forms = ["", "_compact", "_out"]
    expected = {f"zeta::{name}{form}" for name in names for form in forms}
    assert exported(_library.LIBRARY) == expected


def test_engine_exports_nothing_but_its_interface():
    functions = {re.sub(r"^.* |<.*>", "", name) for name in exported(_library.ENGINE)}
    family = ["entmax", "entmax_backward", "entmax_support_backward"]
    expected = {"zeta_engine_config", "zeta_engine_error", "zeta::rowwise::cuda_architectures"}
    masked = ["entmax_masked", "entmax_split_masked", "entmax_compact_masked"]
    largest = ["largest", "largest_masked"]
    others = ["entmax_split", "entmax_with_support", "entmax_compact", *largest]
    for name in (*family, *masked, *others):
        expected.add(f"zeta::rowwise::cpu::{name}")
    expected |= {f"zeta::rowwise::cpu::{name}" for name in ("advise_huge_pages", "capability")}
    expected.add("zeta::rowwise::cuda::requested_plan")
    if build.cuda_version:
        others = ["entmax_masked", "entmax_of_alphas", "entmax_workspace", *largest]
        for name in (*family, *others):
            expected.add(f"zeta::rowwise::cuda::{name}")
    assert functions == expected


def needed(library):
    printed = run("readelf", "--dynamic", "--wide", library)
    return set(re.findall(r"\(NEEDED\)\s+Shared library: \[(\S+?)\.so", printed))


OF_THE_SYSTEM = {"libstdc++", "libm", "libgcc_s", "libc", "ld-linux-x86-64"}


def test_engine_links_nothing_of_torch():
    assert needed(_library.ENGINE) <= OF_THE_SYSTEM | (
        {"libcudart"} if build.cuda_version else set()
    )


def test_library_links_neither_python_nor_what_torch_does_not_bring():
    expected = {"libtorch_cpu", "libc10", "libzeta_engine"}
    of_torch_with_cuda = {"libtorch_cuda", "libc10_cuda", "libcudart"}
    found = needed(_library.LIBRARY)
    assert expected <= found
    allowed = expected | OF_THE_SYSTEM
    assert found <= allowed | (of_torch_with_cuda if build.cuda_version else set())


def cuobjdump() -> str:
    triton = pytest.importorskip("triton")  # brings a cuobjdump
    beside_triton = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    found = shutil.which("cuobjdump") or shutil.which("cuobjdump", path=beside_triton)
    return found or pytest.skip("needs cuobjdump")


@pytest.mark.skipif(build.cuda_version is None, reason="zeta was built without CUDA")
@pytest.mark.parametrize(("option", "prefix"), [("--list-elf", "sm_"), ("--list-ptx", "compute_")])
def test_library_holds_the_architectures_that_the_build_names(option, prefix):
    held = set(re.findall(r"\.sm_(\w+)\.", run(cuobjdump(), option, _library.ENGINE)))
    named = {
        name.removeprefix(prefix) for name in build.cuda_architectures if name.startswith(prefix)
    }
    assert held == named
