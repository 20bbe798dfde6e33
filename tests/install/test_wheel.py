"""What the wheel holds; `make test-install` names it in ZETA_WHEEL."""

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parents[2]
WHEEL = Path(os.environ["ZETA_WHEEL"])
PYTHON_TAG = "cp{}{}".format(*sys.version_info) + sys.abiflags


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    zipfile.ZipFile(WHEEL).extractall(folder)
    return folder


@pytest.fixture(scope="module")
def facts(unpacked: Path) -> ModuleType:
    [module] = (unpacked / "zeta").glob("_C.*.so")
    spec = importlib.util.spec_from_file_location("_C", module)
    assert spec and spec.loader
    facts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(facts)
    return facts


def test_is_for_this_python_and_many_systems():
    assert re.search(rf"-{PYTHON_TAG}-manylinux_2_\d+_x86_64\.whl$", WHEEL.name)


def test_asks_for_the_torch_that_it_fits(unpacked):
    [metadata] = unpacked.glob("zeta_ops-*.dist-info/METADATA")
    minor = ".".join(torch.__version__.split(".")[:2])
    assert f"Requires-Dist: torch=={minor}.*\n" in metadata.read_text()


def test_holds_library_headers_and_cmake_files_and_no_library_of_others(unpacked):
    files = set(zipfile.ZipFile(WHEEL).namelist())
    assert {name for name in files if ".so" in name and not name.startswith("zeta/_C.")} == {
        "zeta/lib/libzeta.so"
    }
    assert {"zeta/include/zeta/ops.h", "zeta/share/cmake/Zeta/ZetaConfig.cmake"} <= files


def test_looks_for_torch_beside_itself_alone(unpacked):
    command = ["readelf", "--dynamic", "--wide", unpacked / "zeta" / "lib" / "libzeta.so"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    [path] = re.findall(r"Library runpath: \[(.*)\]", printed)
    assert "$ORIGIN/../../torch/lib" in path.split(":")
    assert all(folder.startswith("$ORIGIN/../../") for folder in path.split(":"))


def test_names_no_folder_of_the_machine_that_it_was_built_on(unpacked):
    folders = [str(ROOT), str(Path(torch.__file__).parent)]
    for path in unpacked.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [folder for folder in folders if folder.encode() in content], path


def test_has_kernels_for_every_architecture_of_torch(facts):
    if facts.cuda_version is None:
        pytest.skip("built without CUDA")
    architectures = torch._C._cuda_getArchFlags().split()
    newest = architectures[-1].replace("sm", "compute")
    assert facts.cuda_architectures == [*architectures, newest]
