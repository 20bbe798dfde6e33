"""What the build holds, and what it says of itself."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import zeta
from zeta import _C, _library

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout


def test_version_is_the_same_everywhere():
    assert zeta.__version__ == _C.version == (ROOT / "VERSION").read_text().strip()


def test_configuration_is_shown(monkeypatch):
    monkeypatch.setenv("ZETA_CPU_CAPABILITY", "default")
    monkeypatch.setenv("ZETA_HUGE_PAGES", "0")
    shown = run(sys.executable, "-c", "import zeta; print(zeta.show_config())").splitlines()
    cuda = f"CUDA {_C.cuda_version} for {', '.join(_C.cuda_architectures)}"
    assert shown == [
        f"zeta {zeta.__version__} built with:",
        f"  - build {_C.build_id}",
        f"  - torch {_C.torch_version}",
        f"  - {_C.compiler}",
        f"  - {cuda if _C.cuda_version else 'no CUDA kernels'}",
        "  - CPU kernels in use: default",
        "  - huge pages: not asked for",
    ]


def test_library_exports_nothing_but_its_interface():
    printed = run("nm", "--dynamic", "--defined-only", "--demangle", _library.LIBRARY)
    symbols = [line.split(maxsplit=2)[2] for line in printed.splitlines()]
    exported = [name.partition("(")[0] for name in symbols]
    names = ["entmax", "sparse_softmax", "topk_softmax"]
    forms = ["", "_compact", "_out"]
    assert sorted(set(exported)) == [f"zeta::{name}{form}" for name in names for form in forms]


def test_library_links_neither_python_nor_what_torch_does_not_bring():
    printed = run("readelf", "--dynamic", "--wide", _library.LIBRARY)
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[(\S+?)\.so", printed))
    of_torch = {"libtorch_cpu", "libc10"}
    of_torch_with_cuda = {"libtorch_cuda", "libc10_cuda", "libcudart"}
    of_the_system = {"libstdc++", "libm", "libgcc_s", "libc", "ld-linux-x86-64"}
    assert of_torch <= needed
    assert needed <= of_torch | of_the_system | (of_torch_with_cuda if _C.cuda_version else set())


def cuobjdump() -> str:
    triton = pytest.importorskip("triton")  # brings a cuobjdump
    beside_triton = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    found = shutil.which("cuobjdump") or shutil.which("cuobjdump", path=beside_triton)
    return found or pytest.skip("needs cuobjdump")


@pytest.mark.skipif(_C.cuda_version is None, reason="zeta was built without CUDA")
@pytest.mark.parametrize(("option", "prefix"), [("--list-elf", "sm_"), ("--list-ptx", "compute_")])
def test_library_holds_the_architectures_that_the_build_names(option, prefix):
    held = set(re.findall(r"\.sm_(\w+)\.", run(cuobjdump(), option, _library.LIBRARY)))
    named = {name.removeprefix(prefix) for name in _C.cuda_architectures if name.startswith(prefix)}
    assert held == named
