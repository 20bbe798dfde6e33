"""The code of the README runs as it stands there."""

import subprocess
import sys
from pathlib import Path

from code_blocks import code_blocks

import zeta

# In one process, since the import of torch takes seconds.
RUN_EACH = "import runpy, sys; [runpy.run_path(path, run_name=path) for path in sys.argv[1:]]"
README = Path(__file__).parents[2] / "README.md"


def run(*command: str, folder: Path) -> str:
    result = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_readme(tmp_path: Path) -> None:
    blocks = []
    for number, (_, code) in enumerate(code_blocks(README, "python")):
        blocks.append(tmp_path / f"block_{number}.py")
        blocks[-1].write_text(code)
    run(sys.executable, "-c", RUN_EACH, *(path.name for path in blocks), folder=tmp_path)

    [(_, cmake)] = code_blocks(README, "cmake")
    [(_, program)] = code_blocks(README, "cpp")
    (tmp_path / "CMakeLists.txt").write_text(cmake)
    (tmp_path / "main.cpp").write_text(program)
    prefix = f"-DCMAKE_PREFIX_PATH={zeta.cmake_prefix_path}"
    run("cmake", "-G", "Ninja", prefix, "-B", "build", folder=tmp_path)
    run("cmake", "--build", "build", folder=tmp_path)
    printed = run(str(tmp_path / "build" / "program"), folder=tmp_path)
    assert "0.5000" in printed and "0.3000" in printed and "0.2000" in printed
