"""How the build decides what to compile, what it needs no torch for, and what it is told."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
CONTRIBUTING = ROOT / "CONTRIBUTING.md"

needs_cuda_torch = pytest.mark.skipif(torch.version.cuda is None, reason="needs a torch with CUDA")


def configure(folder, switch, **variables):
    """What CMake says, and whether it went well."""
    command = ["cmake", "-LH", "-G", "Ninja", "-S", ROOT, "-B", folder, f"-DZETA_CUDA={switch}"]
    command.append(f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}")
    result = subprocess.run(
        command,
        check=False,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return " ".join((result.stdout + result.stderr).split()), result.returncode == 0


def test_unknown_switch_is_refused(tmp_path):
    said, went_well = configure(tmp_path, "maybe")
    assert not went_well
    assert 'expected ZETA_CUDA to be AUTO, ON or OFF, but got "maybe"' in said


def test_build_without_cuda_says_so(tmp_path):
    said, went_well = configure(tmp_path, "OFF")
    assert went_well and "zeta: without CUDA kernels: ZETA_CUDA=OFF" in said


def test_options_that_cmake_lists_are_documented(tmp_path):
    said, _ = configure(tmp_path, "OFF")
    listed = re.findall(r"// ([^/]+) (ZETA_\w+):\w+=", said)
    documented = re.findall(r"^\| `(ZETA_\w+)` \|", CONTRIBUTING.read_text(), re.MULTILINE)
    assert all(description for description, _ in listed)
    assert {name for _, name in listed} == set(documented)


@needs_cuda_torch
@pytest.mark.parametrize("switch", ["AUTO", "ON"])
def test_compiler_that_does_not_run_is_named(tmp_path, switch):
    said, went_well = configure(tmp_path, switch, CUDACXX="/bin/false")
    assert went_well == (switch == "AUTO")
    assert "/bin/false does not run" in said
    assert ("zeta: without CUDA kernels: no nvcc" in said) == (switch == "AUTO")
    assert ("ZETA_CUDA=ON, but no nvcc" in said) == (switch == "ON")


# Asks the build back end of pyproject.toml, as pip does, where torch cannot be imported.
ASK = """
import os, sys
sys.modules["torch"] = None
from setuptools import build_meta
os.chdir(sys.argv[1])
print(getattr(build_meta, sys.argv[2])(sys.argv[3]))
"""


def attempt(function, folder, **variables):
    return subprocess.run(
        [sys.executable, "-c", ASK, ROOT, function, folder],
        check=False,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


def ask(function, folder, **variables):
    result = attempt(function, folder, **variables)
    assert result.returncode == 0, result.stderr
    return Path(folder, result.stdout.split()[-1])


WITHOUT_TORCH = {"Torch_DIR": "/nowhere"}


def test_metadata_without_torch(tmp_path):
    folder = ask("prepare_metadata_for_build_wheel", tmp_path, **WITHOUT_TORCH)
    metadata = (folder / "METADATA").read_text()
    assert "Name: zeta-ops\n" in metadata and "Requires-Dist: torch>=2.11\n" in metadata
    assert f"Version: {(ROOT / 'VERSION').read_text()}" in metadata


def test_metadata_of_a_wheel_name_the_torch_that_it_is_built_for(tmp_path):
    metadata = (ask("prepare_metadata_for_build_wheel", tmp_path) / "METADATA").read_text()
    minor = ".".join(torch.__version__.split(".")[:2])
    assert f"Requires-Dist: torch=={minor}.*\n" in metadata


def test_wheel_without_torch_says_what_it_needs(tmp_path):
    result = attempt("build_wheel", tmp_path, **WITHOUT_TORCH)
    assert result.returncode != 0
    assert result.stderr.endswith(
        "zeta is built against an installed torch, and there is no folder /nowhere. Install torch "
        "and pass --no-build-isolation, or set Torch_DIR to the folder of TorchConfig.cmake.\n"
    )


SOURCES = (
    *("csrc", "cmake", "python", "tests", "benchmarks", "examples"),
    *("CMakeLists.txt", "VERSION", "pyproject.toml", "setup.py", "LICENSE", "README.md"),
)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs to know which files are the source")
def test_sdist_without_torch_holds_all_that_a_build_needs(tmp_path):
    with tarfile.open(ask("build_sdist", tmp_path, **WITHOUT_TORCH)) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    command = ["git", "-C", ROOT, "ls-files", *SOURCES]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert set(printed.splitlines()) <= held
