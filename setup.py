"""Builds with CMake and installs the result into the package; CMakeLists.txt says what is built.

Environment: ZETA_CUDA (AUTO, ON or OFF), CMAKE_ARGS (more arguments for CMake), Torch_DIR (the
folder of TorchConfig.cmake, if torch is not in this Python environment), ZETA_BUILD_DIR.
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

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent


def torch_config() -> Path:
    """The folder of TorchConfig.cmake, which is not there if torch is not."""
    if "Torch_DIR" in os.environ:
        return Path(os.environ["Torch_DIR"])
    # An isolated build hides torch from import, but with pip the environment's folder is the same.
    spec = importlib.util.find_spec("torch")
    torch = Path(spec.origin).parent if spec and spec.origin else None
    torch = torch or Path(sysconfig.get_path("platlib"), "torch")
    return torch / "share" / "cmake" / "Torch"


def required_torch() -> str:
    """What is built fits the minor version of torch that it is built against; the source, more."""
    file = torch_config() / "TorchConfigVersion.cmake"
    makes_wheel = not {"dist_info", "bdist_wheel", "editable_wheel"}.isdisjoint(sys.argv)
    if not makes_wheel or not file.is_file():
        return "torch>=2.11"
    [minor] = re.findall(r'set\(PACKAGE_VERSION "(\d+\.\d+)', file.read_text())
    return f"torch=={minor}.*"


def run(*command: object) -> None:
    if subprocess.run([str(word) for word in command], check=False).returncode != 0:
        sys.exit(f"zeta: {command[0]} failed; its own message is above.")


class CMakeBuild(build_ext):
    def run(self) -> None:
        import pybind11

        if not torch_config().is_dir():
            sys.exit(
                "zeta is built against an installed torch, and there is no folder "
                f"{torch_config()}. Install torch and pass --no-build-isolation, or set Torch_DIR "
                "to the folder of TorchConfig.cmake."
            )
        in_place = self.inplace or self.editable_mode
        package = ROOT / "python" / "zeta" if in_place else Path(self.build_lib, "zeta").resolve()
        build = ROOT / os.environ.get(
            "ZETA_BUILD_DIR", f"build/{sysconfig.get_config_var('SOABI')}"
        )
        # Written out each time: a build folder outlives the environments that it was used from.
        run(
            *("cmake", "-S", ROOT, "-B", build, "-G", "Ninja"),
            f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja')}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-DPython_INCLUDE_DIR={sysconfig.get_path('include')}",
            f"-DTorch_DIR={torch_config()}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DZETA_CUDA={os.environ.get('ZETA_CUDA', 'AUTO')}",
            "-DZETA_BUILD_PYTHON=ON",
            f"-DZETA_INSTALL_BESIDE_TORCH={'OFF' if in_place else 'ON'}",
            *shlex.split(os.environ.get("CMAKE_ARGS", "")),
        )
        run("cmake", "--build", build, "--target", "zeta", "_C")

        for folder in ("lib", "include", "share"):
            shutil.rmtree(package / folder, ignore_errors=True)
        run("cmake", "--install", build, "--prefix", package)


setup(
    install_requires=[required_torch()],
    ext_modules=[Extension("zeta._C", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
