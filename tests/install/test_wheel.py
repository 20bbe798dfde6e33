"""What the wheel holds; `make test-install` names it in ZETA_WHEEL."""

import ctypes
import os
import re
import subprocess
import zipfile
from pathlib import Path

import pytest
import torch
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
WHEEL = Path(os.environ["ZETA_WHEEL"])


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    zipfile.ZipFile(WHEEL).extractall(folder)
    return folder


def test_is_for_every_python_and_many_systems():
    assert re.search(r"-py3-none-manylinux_2_\d+_x86_64\.whl$", WHEEL.name)


def test_asks_for_the_versions_of_torch_that_it_fits(unpacked):
    [metadata] = unpacked.glob("zeta_ops-*.dist-info/METADATA")
    [asked] = re.findall(r"^Requires-Dist: torch(\S*)$", metadata.read_text(), re.MULTILINE)
    folders = {path.name for path in (unpacked / "zeta" / "lib").glob("torch-*")}
    fitting = {f"torch-2.{n}" for n in range(100) if SpecifierSet(asked).contains(f"2.{n}.1")}
    assert fitting == folders


def test_holds_library_headers_and_cmake_files_and_no_library_of_others(unpacked):
    files = set(zipfile.ZipFile(WHEEL).namelist())
    folders = {Path(name).parent for name in files if name.endswith("/operators.json")}
    assert {name for name in files if ".so" in name} == {
        "zeta/lib/libzeta_engine.so",
        *(f"{folder}/libzeta.so" for folder in folders),
    }
    assert {"zeta/include/zeta/ops.h", "zeta/share/cmake/Zeta/ZetaConfig.cmake"} <= files


def test_look_for_torch_beside_the_package_alone(unpacked):
    libraries = unpacked / "zeta" / "lib"
    for library in libraries.rglob("*.so"):
        command = ["readelf", "--dynamic", "--wide", library]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        path = "".join(re.findall(r"Library runpath: \[(.*)\]", printed))
        folders = {
            Path(folder.replace("$ORIGIN", str(library.parent))) for folder in path.split(":")
        }
        resolved = {folder.resolve() for folder in folders if path}
        beside = unpacked.resolve()
        assert all(beside in folder.parents for folder in resolved)
        if library.parent != libraries:
            assert {beside / "torch" / "lib", beside / "zeta" / "lib"} <= resolved


def test_names_no_folder_of_the_machine_that_it_was_built_on(unpacked):
    folders = [str(ROOT), str(Path(torch.__file__).parent)]
    for path in unpacked.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [folder for folder in folders if folder.encode() in content], path


def test_has_kernels_for_every_architecture_of_torch(unpacked):
    engine = ctypes.CDLL(str(unpacked / "zeta" / "lib" / "libzeta_engine.so"))
    engine.zeta_engine_config.restype = ctypes.c_char_p
    config = dict(line.split(" ", 1) for line in engine.zeta_engine_config().decode().splitlines())
    if not config["cuda_version"]:
        pytest.skip("built without CUDA")
    architectures = torch._C._cuda_getArchFlags().split()
    newest = architectures[-1].replace("sm", "compute")
    assert config["cuda_architectures"].split(", ") == [*architectures, newest]
