"""What find_package(Zeta) finds, needs and refuses: a project that is configured and not built."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import zeta
from zeta import _library

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES CXX)
FIND
if(NOT TARGET zeta::zeta)
  message(FATAL_ERROR "no target")
endif()
message(STATUS "zeta ${Zeta_VERSION} with torch ${Torch_VERSION} in ${TORCH_INSTALL_PREFIX}")
"""
# What the searches for Python, for a CUDA toolkit and for torch come to where there is none.
WITHOUT = "-DCMAKE_DISABLE_FIND_PACKAGE_{}=ON"


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., tuple[str, bool]]:
    def run(find: str = "find_package(Zeta REQUIRED)", *options: str) -> tuple[str, bool]:
        """What CMake says, and whether it went well."""
        (tmp_path / "CMakeLists.txt").write_text(PROJECT.replace("FIND", find))
        command = ["cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "build", *options]
        if not any(option.startswith("-DCMAKE_PREFIX_PATH") for option in options):
            command.append(f"-DCMAKE_PREFIX_PATH={zeta.cmake_prefix_path}")
        result = subprocess.run(
            command, check=False, env=os.environ, capture_output=True, text=True, timeout=300
        )
        return " ".join((result.stdout + result.stderr).split()), result.returncode == 0

    return run


HELD = ", ".join(
    sorted(path.name.removeprefix("torch-") for path in _library.FOLDER.glob("torch-*"))
)
FOUND = f"zeta {zeta.__version__} with torch {torch.__version__.partition('+')[0]} in {Path(torch.__file__).parent}"


def test_torch_is_found_with_it(configure):
    said, went_well = configure()
    assert went_well and FOUND in said


def test_torch_may_be_looked_for_again(configure):
    options = [WITHOUT.format(package) for package in ("CUDA", "CUDAToolkit")]
    said, went_well = configure("find_package(Zeta REQUIRED)\nfind_package(Torch)", *options)
    assert went_well and FOUND in said


def test_needs_neither_python_nor_a_cuda_toolkit(configure):
    packages = ("Python", "Python3", "CUDA", "CUDAToolkit")
    options = [WITHOUT.format(package) for package in packages]
    said, went_well = configure("find_package(Zeta REQUIRED)", *options)
    assert went_well and FOUND in said


@pytest.mark.parametrize("version", ["{}.{}", "{}.{}.0"])
def test_this_minor_version_is_found(configure, version):
    wanted = version.format(*zeta.__version__.split("."))
    said, went_well = configure(f"find_package(Zeta {wanted} REQUIRED)")
    assert went_well and FOUND in said


def test_another_version_is_refused_by_name(configure):
    said, went_well = configure("find_package(Zeta 99.0 REQUIRED)")
    assert not went_well
    assert f"ZetaConfig.cmake, version: {zeta.__version__}" in said


def test_another_minor_version_of_torch_is_refused(configure, tmp_path):
    torch_folder = tmp_path / "torch" / "share" / "cmake" / "Torch"
    torch_folder.mkdir(parents=True)
    (torch_folder / "TorchConfig.cmake").write_text(f"set(TORCH_INSTALL_PREFIX {tmp_path}/torch)\n")
    (torch_folder / "TorchConfigVersion.cmake").write_text(
        "set(PACKAGE_VERSION 2.99.1)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n"
    )
    prefixes = f"-DCMAKE_PREFIX_PATH={tmp_path}/torch;{zeta.cmake_prefix_path}"
    said, went_well = configure("find_package(Zeta REQUIRED)", prefixes)
    assert not went_well
    assert (
        f"zeta {zeta.__version__} has operators for torch {HELD}, but torch 2.99.1 was found in "
        f"{tmp_path}/torch. Rebuild zeta with that torch, or put another first in "
        "CMAKE_PREFIX_PATH." in said
    )


def test_no_torch_is_refused(configure):
    said, went_well = configure("find_package(Zeta REQUIRED)", WITHOUT.format("Torch"))
    assert not went_well
    assert (
        f"zeta {zeta.__version__} has operators for torch {HELD}, and no torch was found. Add the folder that torch.utils.cmake_prefix_path names to CMAKE_PREFIX_PATH."
        in said
    )


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A copy of zeta beside the torch in use, in a folder of a name that shells take apart."""
    folder = tmp_path / "l'été de zeta"
    folder.mkdir()
    shutil.copytree(Path(zeta.__file__).parent, folder / "zeta")
    for package in Path(torch.__file__).parents[1].iterdir():
        if package.name in ("torch", "nvidia"):
            (folder / package.name).symlink_to(package)
    return folder


def test_package_finds_the_torch_beside_it_first(configure, packages):
    prefix = f"-DCMAKE_PREFIX_PATH={packages}/zeta/share/cmake"
    said, went_well = configure("find_package(Zeta REQUIRED)", prefix)
    assert went_well and f"in {packages}/torch" in said


# Links, as a program does that knows the operators by name only.
PROGRAM = """
find_package(Zeta REQUIRED)
file(WRITE ${CMAKE_BINARY_DIR}/program.cpp "int main() {}")
add_executable(program ${CMAKE_BINARY_DIR}/program.cpp)
target_link_libraries(program PRIVATE zeta::zeta)
"""


def test_programs_link_from_a_folder_of_any_name(configure, packages, tmp_path):
    said, went_well = configure(PROGRAM, f"-DCMAKE_PREFIX_PATH={packages}/zeta/share/cmake")
    assert went_well, said
    built = subprocess.run(
        ["cmake", "--build", tmp_path / "build"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert built.returncode == 0, built.stdout
    loaded = subprocess.run(
        ["ldd", tmp_path / "build" / "program"], check=True, capture_output=True, text=True
    )
    package = Path(zeta.__file__).parent
    used = {Path(path).resolve() for path in re.findall(r"=> (.*) \(0x", loaded.stdout)}
    for library in (_library.ENGINE, _library.LIBRARY):
        assert packages.resolve() / "zeta" / library.relative_to(package) in used
