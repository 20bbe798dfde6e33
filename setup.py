"""Builds with CMake and installs the result into the package; CMakeLists.txt says what is built.

Environment: ZETA_CUDA (AUTO, ON or OFF), CMAKE_ARGS (more arguments for CMake), Torch_DIR (the
folder of TorchConfig.cmake, if torch is not in this Python environment), ZETA_BUILD_DIR, and
ZETA_OPERATORS (folders that operators for other versions of torch were installed in, to be added).
"""

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Command, Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
MORE_OPERATORS = shlex.split(os.environ.get("ZETA_OPERATORS", ""))


def torch_config() -> Path:
    """The folder of TorchConfig.cmake, which is not there if torch is not."""
    if "Torch_DIR" in os.environ:
        return Path(os.environ["Torch_DIR"])
    # An isolated build hides torch from import, but with pip the environment's folder is the same.
    spec = importlib.util.find_spec("torch")
    torch = Path(spec.origin).parent if spec and spec.origin else None
    torch = torch or Path(sysconfig.get_path("platlib"), "torch")
    return torch / "share" / "cmake" / "Torch"


def minor_of_build() -> str | None:
    """The minor version of the torch that is built against, if there is one."""
    file = torch_config() / "TorchConfigVersion.cmake"
    found = re.findall(
        r'set\(PACKAGE_VERSION "(\d+\.\d+)', file.read_text() if file.is_file() else ""
    )
    return found[0] if found else None


def required_torch() -> str:
    """The versions that a wheel has operators for; the source fits more."""
    makes_wheel = not {"dist_info", "bdist_wheel", "editable_wheel"}.isdisjoint(sys.argv)
    minor = minor_of_build()
    if not makes_wheel or minor is None:
        return "torch>=2.11"
    folders = [folder for more in MORE_OPERATORS for folder in Path(more, "lib").glob("torch-*")]
    held = {minor, *(folder.name.removeprefix("torch-") for folder in folders)}
    if len(held) == 1:
        return f"torch=={minor}.*"
    numbers = sorted(tuple(map(int, name.split("."))) for name in held)
    (major, first), (_, last) = numbers[0], numbers[-1]
    gaps = "".join(f",!={major}.{n}.*" for n in range(first, last) if (major, n) not in numbers)
    return f"torch>={major}.{first},<{major}.{last + 1}{gaps}"


def run(*command: object) -> None:
    if subprocess.run([str(word) for word in command], check=False).returncode != 0:
        sys.exit(f"zeta: {command[0]} failed; its own message is above.")


class BuildLibraries(Command):
    """A step of setuptools' build; the methods without a comment are what it asks of each."""

    def initialize_options(self) -> None:
        self.build_lib: str | None = None
        self.editable_mode = False

    def finalize_options(self) -> None:
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        if not torch_config().is_dir():
            sys.exit(
                "zeta is built against an installed torch, and there is no folder "
                f"{torch_config()}. Install torch and pass --no-build-isolation, or set Torch_DIR "
                "to the folder of TorchConfig.cmake."
            )
        in_place = self.editable_mode
        package = ROOT / "python" / "zeta" if in_place else Path(self.build_lib, "zeta").resolve()
        build = ROOT / os.environ.get("ZETA_BUILD_DIR", f"build/{sysconfig.get_platform()}")
        # Written out each time: a build folder outlives the environments that it was used from.
        run(
            *("cmake", "-S", ROOT, "-B", build, "-G", "Ninja"),
            f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja')}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DTorch_DIR={torch_config()}",
            f"-DZETA_CUDA={os.environ.get('ZETA_CUDA', 'AUTO')}",
            f"-DZETA_INSTALL_BESIDE_TORCH={'OFF' if in_place else 'ON'}",
            *shlex.split(os.environ.get("CMAKE_ARGS", "")),
        )
        run("cmake", "--build", build, "--target", "zeta_facts")

        for folder in ("lib", "include", "share"):
            shutil.rmtree(package / folder, ignore_errors=True)
        run("cmake", "--install", build, "--prefix", package)
        for more in MORE_OPERATORS:
            shutil.copytree(more, package, dirs_exist_ok=True)

    def get_source_files(self) -> list[str]:
        return []

    def get_outputs(self) -> list[str]:
        return []

    def get_output_mapping(self) -> dict[str, str]:
        return {}


class WithLibraries(Distribution):
    def has_ext_modules(self) -> bool:
        """Whether a wheel depends on the platform."""
        return True


class Wheel(bdist_wheel):
    def get_tag(self) -> tuple[str, str, str]:
        """The libraries know no Python, so one wheel is for all."""
        return "py3", "none", super().get_tag()[2]


build.sub_commands.append(("build_libraries", None))
setup(
    install_requires=[required_torch()],
    distclass=WithLibraries,
    cmdclass={"build_libraries": BuildLibraries, "bdist_wheel": Wheel},
)
