"""What `import zeta` does and says, and what the build holds."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zeta
from zeta import _C, _library

ROOT = Path(__file__).resolve().parents[2]


def run_python(code: str) -> str:
    """Output of a fresh interpreter."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def test_version_is_the_same_everywhere():
    assert zeta.__version__ == _C.version == (ROOT / "VERSION").read_text().strip()


def test_import_needs_no_torch_first():
    code = "import zeta, torch; print(torch.ops.zeta.sparse_softmax.default._schema)"
    assert run_python(code).startswith("zeta::sparse_softmax(Tensor z, SymInt k=3, int dim=-1")


def test_every_module_is_there_and_none_is_imported_that_is_not_asked_for():
    code = """
import sys, zeta
print([name for name in ("onnxscript", "torch.distributed.tensor") if name in sys.modules])
import zeta.distributed, zeta.nn, zeta.onnx, zeta.ops
"""
    assert run_python(code) == "[]\n"


def test_facts_of_the_build_need_no_torch():
    # Read from the folder: importing zeta itself imports torch.
    code = f"""
import sys
sys.path.insert(0, {str(Path(zeta.__file__).parent)!r})
import _C
print(_C.torch_version, "torch" in sys.modules)
"""
    assert run_python(code).split() == [_C.torch_version, "False"]


def test_configuration_is_shown(monkeypatch):
    monkeypatch.setenv("ZETA_CPU_CAPABILITY", "default")
    monkeypatch.setenv("ZETA_HUGE_PAGES", "0")
    shown = run_python("import zeta; print(zeta.show_config())").splitlines()
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


def test_second_copy_of_the_library_leaves_the_operators_to_the_first(tmp_path):
    other = shutil.copy(_library.LIBRARY, tmp_path / "other.so")
    code = f"""
import torch, zeta
torch.ops.load_library({str(other)!r})
z = torch.tensor([1.0, 1.0], requires_grad=True)
print(torch.ops.zeta.sparse_softmax(z).tolist())
torch.vmap(zeta.ops.sparse_softmax)(z.view(2, 1)).sum().backward()
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert result.stdout == "[0.5, 0.5]\n"
    assert f"expected one copy of libzeta.so in a process, but {other} was loaded" in result.stderr


STRONG = "TDBR"  # symbols of nm that are not copies of what a header has


def test_library_exports_nothing_but_its_interface():
    command = ["nm", "--dynamic", "--defined-only", "--demangle", _library.LIBRARY]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    symbols = [line.split(maxsplit=2)[1:] for line in printed.splitlines()]
    exported = {name.partition("(")[0] for kind, name in symbols if kind in STRONG}
    assert exported == {"zeta::sparse_softmax", "zeta::sparse_softmax_out"}


def test_import_twice_is_harmless():
    run_python("import importlib, zeta; importlib.reload(zeta); importlib.reload(zeta._library)")


def test_another_minor_version_of_torch_is_refused():
    major, minor = map(int, _C.torch_version.split(".")[:2])
    found = f"{major}.{minor + 1}.0+cu999"
    with pytest.raises(ImportError, match="pip install") as error:
        _library.check_torch(found)
    assert f"torch {_C.torch_version}" in str(error.value)
    assert f"torch {found}" in str(error.value)


def test_another_patch_version_of_torch_is_taken():
    _library.check_torch(_library.minor(_C.torch_version) + ".99")


def test_missing_library_is_named(tmp_path):
    with pytest.raises(ImportError, match=r"gone\.so.*No such file.*pip install"):
        _library.load(tmp_path / "gone.so")


def test_compile_cache_tag_names_the_build_once_and_keeps_the_users(monkeypatch):
    tag = f"zeta-{_C.version}-{_C.build_id}"
    assert tag in torch.compiler.config.cache_key_tag
    monkeypatch.setattr(torch.compiler.config, "cache_key_tag", "mine")
    _library.tag_compile_cache()
    _library.tag_compile_cache()
    assert torch.compiler.config.cache_key_tag == f"mine-{tag}"


def cuobjdump() -> str:
    triton = pytest.importorskip("triton")  # brings a cuobjdump
    beside_triton = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    found = shutil.which("cuobjdump") or shutil.which("cuobjdump", path=beside_triton)
    return found or pytest.skip("needs cuobjdump")


@pytest.mark.skipif(_C.cuda_version is None, reason="zeta was built without CUDA")
@pytest.mark.parametrize(("option", "prefix"), [("--list-elf", "sm_"), ("--list-ptx", "compute_")])
def test_library_holds_the_architectures_that_the_build_names(option, prefix):
    command = [cuobjdump(), option, _library.LIBRARY]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    held = set(re.findall(r"\.sm_(\w+)\.", output))
    named = {name.removeprefix(prefix) for name in _C.cuda_architectures if name.startswith(prefix)}
    assert held == named
