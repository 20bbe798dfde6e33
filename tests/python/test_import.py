"""What `import zeta` does, and what it says where it cannot: each in a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zeta
from zeta import _library
from zeta._library import build

MINOR = ".".join(build.torch_version.split(".")[:2])
HELD = ", ".join(
    sorted(path.name.removeprefix("torch-") for path in _library.FOLDER.glob("torch-*"))
)

needs_cuda_build = pytest.mark.skipif(
    build.cuda_version is None, reason="zeta was built without CUDA"
)


def attempt(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def output(code: str, **variables: str) -> str:
    result = attempt(code, **variables)
    assert result.returncode == 0, result.stderr
    return result.stdout


def import_error(code: str, **variables: str) -> str:
    """What the last line of the traceback says, and no other exception before it."""
    result = attempt(code, **variables)
    assert result.returncode == 1 and result.stderr.count("Traceback") == 1, result.stderr
    kind, _, message = result.stderr.splitlines()[-1].partition(": ")
    assert kind == "ImportError"
    return message


def test_import_needs_no_torch_first():
    code = "import zeta, torch; print(torch.ops.zeta.sparse_softmax.default._schema)"
    assert output(code).startswith("zeta::sparse_softmax(Tensor z, SymInt k=3, int dim=-1")


def test_import_twice_is_harmless():
    output("import importlib, zeta; importlib.reload(zeta); importlib.reload(zeta._library)")


def test_every_module_is_there_and_none_is_imported_that_is_not_asked_for():
    code = """
import sys, zeta
print([name for name in ("onnxscript", "torch.distributed.tensor") if name in sys.modules])
import zeta.distributed, zeta.nn, zeta.onnx, zeta.ops
"""
    assert output(code) == "[]\n"


@pytest.mark.parametrize("found", ["2.10.1", "2.99.0+cu999"])
def test_another_minor_version_of_torch_is_refused(found):
    message = import_error(f"import torch; torch.__version__ = {found!r}; import zeta")
    assert message == (
        f"zeta in {_library.FOLDER.parent} has operators for torch {HELD}, but torch {found} is "
        f"installed. Install a torch that is named, or to build zeta for torch {found}, "
        f"{_library.REBUILD}"
    )


def test_another_patch_version_of_torch_is_taken():
    output(f"import torch; torch.__version__ = '{MINOR}.99'; import zeta")


@needs_cuda_build
@pytest.mark.parametrize(
    ("found", "described"), [(None, "without CUDA"), ("12.6", "with CUDA 12.6")]
)
def test_torch_without_the_cuda_of_the_build_is_refused(found, described):
    message = import_error(f"import torch; torch.version.cuda = {found!r}; import zeta")
    major = build.cuda_version.split(".")[0]
    assert message == (
        f"zeta was built with CUDA {build.cuda_version}, but torch "
        f"{torch.__version__} {described} is installed. Install a torch with CUDA {major}, or to "
        f"rebuild zeta for this one, {_library.REBUILD}"
    )


@needs_cuda_build
@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA driver")
def test_build_with_cuda_computes_on_the_cpu_where_there_is_no_driver():
    code = """
import torch, zeta
print(zeta.ops.sparse_softmax(torch.tensor([1.0, 1.0])).tolist())
torch.zeros(2, device="cuda")
"""
    result = attempt(code)
    assert result.stdout == "[0.5, 0.5]\n"
    assert result.stderr.splitlines()[-1].startswith("RuntimeError: Found no NVIDIA driver")


@pytest.fixture
def copy_of_package(tmp_path: Path) -> Path:
    return shutil.copytree(Path(zeta.__file__).parent, tmp_path / "zeta")


LIBRARIES = ["libzeta_engine.so", f"torch-{MINOR}/libzeta.so"]


def test_package_without_libraries_is_refused(copy_of_package):
    shutil.rmtree(copy_of_package / "lib")
    message = import_error("import zeta", PYTHONPATH=str(copy_of_package.parent))
    assert message.startswith(f"zeta in {copy_of_package} has operators for torch (none), but ")


@pytest.mark.parametrize("name", LIBRARIES)
def test_missing_library_is_named(copy_of_package, name):
    library = copy_of_package / "lib" / name
    library.unlink()
    message = import_error("import zeta", PYTHONPATH=str(copy_of_package.parent))
    assert message.startswith(f"zeta could not load {library}: ")
    assert "No such file or directory" in message and message.endswith(_library.REBUILD)


@pytest.mark.parametrize("name", LIBRARIES)
def test_library_that_does_not_load_is_named_with_what_the_linker_says(copy_of_package, name):
    library = copy_of_package / "lib" / name
    library.write_text("no library")
    message = import_error("import zeta", PYTHONPATH=str(copy_of_package.parent))
    assert message.startswith(f"zeta could not load {library}: ")
    assert "file too short" in message and message.endswith(_library.REBUILD)


def test_engine_of_another_version_is_refused(copy_of_package):
    facts = copy_of_package / "lib" / f"torch-{MINOR}" / "operators.json"
    facts.write_text(facts.read_text().replace(f'"{zeta.__version__}"', '"9.8.7"'))
    message = import_error("import zeta", PYTHONPATH=str(copy_of_package.parent))
    assert message == (
        f"{copy_of_package / 'lib' / 'libzeta_engine.so'} is of zeta {zeta.__version__}, but the "
        f"operators beside it are of zeta 9.8.7. To rebuild both, {_library.REBUILD}"
    )


def test_second_copy_of_the_library_leaves_the_operators_to_the_first(tmp_path):
    shutil.copy(_library.ENGINE, tmp_path)
    (tmp_path / "torch").mkdir()
    other = shutil.copy(_library.LIBRARY, tmp_path / "torch" / "other.so")
    code = f"""
import torch, zeta
torch.ops.load_library({str(other)!r})
z = torch.tensor([1.0, 1.0], requires_grad=True)
print(torch.ops.zeta.sparse_softmax(z).tolist())
torch.vmap(zeta.ops.sparse_softmax)(z.view(2, 1)).sum().backward()
"""
    result = attempt(code)
    assert result.returncode == 0 and result.stdout == "[0.5, 0.5]\n"
    assert f"expected one copy of libzeta.so in a process, but {other} was loaded" in result.stderr


def test_another_library_of_the_same_name_is_named():
    code = """
import torch
other = torch.library.Library("zeta", "DEF")
other.define("sparse_softmax(Tensor x, float y) -> Tensor")
import zeta
"""
    result = attempt(code)
    assert result.returncode == 1
    schema = "zeta::sparse_softmax(Tensor x, float y) -> Tensor"
    assert f"has registered {schema}" in result.stderr.splitlines()[-1]
    assert f"but another library has, as {schema}" in result.stderr.replace("\n", " ")


def test_library_alone_has_rules_for_vmap():
    code = f"""
import torch, warnings
warnings.simplefilter("error")
torch.ops.load_library({str(_library.LIBRARY)!r})
z = torch.tensor([[0.0, 2.0], [1.0, 1.0]])
print(torch.vmap(torch.ops.zeta.sparse_softmax)(z).tolist())
"""
    assert output(code) == "[[0.0, 1.0], [0.5, 0.5]]\n"


def test_compile_cache_tag_names_the_build_once_and_keeps_the_users(monkeypatch):
    tag = f"zeta-{build.version}-{build.build_id}"
    assert tag in torch.compiler.config.cache_key_tag
    monkeypatch.setattr(torch.compiler.config, "cache_key_tag", "mine")
    _library.tag_compile_cache()
    _library.tag_compile_cache()
    assert torch.compiler.config.cache_key_tag == f"mine-{tag}"
