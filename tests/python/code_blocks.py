"""The blocks of code in a file of Markdown, and what runs them as users would."""

import re
import subprocess
import sys
from pathlib import Path

import zeta

# In one process, since the import of torch takes seconds.
RUN_EACH = "import runpy, sys; [runpy.run_path(path, run_name=path) for path in sys.argv[1:]]"


def code_blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Each with its language, in the order of the page."""
    fenced = rf"^```({'|'.join(languages)})\n(.*?)^```"
    return re.findall(fenced, page.read_text(), re.MULTILINE | re.DOTALL)


def run_python_blocks(pages: list[Path], folder: Path) -> None:
    """In a process apart and in this folder; each block by itself, with names of its own."""
    blocks = []
    for page in pages:
        for number, (_, code) in enumerate(code_blocks(page, "python")):
            blocks.append(folder / f"{page.stem}_{number}.py")
            blocks[-1].write_text(code)
    assert blocks
    _run(sys.executable, "-c", RUN_EACH, *(path.name for path in blocks), folder=folder)


def run_program(page: Path, folder: Path, project: str = "") -> str:
    """Builds the page's program, runs it there, and returns what it prints. `project` is what the page
    leaves out of CMakeLists.txt."""
    [(_, cmake)] = code_blocks(page, "cmake")
    [(_, program)] = code_blocks(page, "cpp")
    (folder / "CMakeLists.txt").write_text(project + cmake)
    (folder / "main.cpp").write_text(program)
    prefix = f"-DCMAKE_PREFIX_PATH={zeta.cmake_prefix_path}"
    _run("cmake", "-G", "Ninja", prefix, "-B", "build", folder=folder)
    _run("cmake", "--build", "build", folder=folder)
    return _run(str(folder / "build" / "program"), folder=folder)


def _run(*command: str, folder: Path) -> str:
    result = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout
