"""The code on the pages of the documentation runs as it stands there, and they leave nothing out."""

import doctest
import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from code_blocks import code_blocks, run_program, run_python_blocks

import zeta

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LANGUAGES = ("python", "pycon")
# Of programs, and of what would change this process: process groups, compiled packages.
APART = [DOCS / "tutorials" / name for name in ("cpp.md", "devices.md", "export.md")]
PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if code_blocks(page, *LANGUAGES) and page not in APART
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, the blocks of a page share their names."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for number, (language, code) in enumerate(code_blocks(page, *LANGUAGES)):
        if language == "python":
            block = tmp_path / f"block_{number}.py"
            block.write_text(code)
            names |= runpy.run_path(str(block), names)
        else:
            run_session(code, names, page.name)


def test_pages_with_a_process_of_their_own(tmp_path: Path) -> None:
    assert not any(code_blocks(page, "pycon") for page in APART)
    run_python_blocks(APART, tmp_path)
    printed = run_program(DOCS / "tutorials" / "cpp.md", tmp_path)
    assert "0.5000" in printed and "0.3000" in printed and "0.2000" in printed


def run_session(code: str, names: dict[str, Any], page: str) -> None:
    """Compares what is printed with what the session shows."""
    test = doctest.DocTestParser().get_doctest(code, names, page, page, 0)
    test.globs = names
    results = doctest.DocTestRunner().run(test, clear_globs=False)
    assert results.attempted and not results.failed


def replacements(*packages: str) -> list[tuple[str, str]]:
    """The rows of the start page's table whose first cell calls one of these packages."""
    code = rf"^\| `((?:{'|'.join(packages)})\..*?)` \| `(.*?)` \|"
    return re.findall(code, (DOCS / "index.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("instead", "write"), replacements("entmax", "ot"))
def test_replacement(instead: str, write: str) -> None:
    package = instead.partition(".")[0]
    z = torch.randn(5, 9, dtype=torch.float64)
    names = {"z": z, "k": 3, "alpha": 1.3, "zeta": zeta, package: pytest.importorskip(package)}
    torch.testing.assert_close(eval(write, names), eval(instead, names))


def test_replacements_are_found() -> None:
    assert len(replacements("entmax", "ot")) >= 4


@pytest.mark.parametrize("name", ["zeta.ops", "zeta.nn", "zeta.distributed", "zeta.onnx"])
def test_reference_names_everything_public(name: str) -> None:
    _, _, section = (DOCS / "reference" / "python.md").read_text().partition(f"\n## {name}\n")
    listed = re.findall(r"^\.\. auto\w+:: (\w+)$", section.partition("\n## ")[0], re.MULTILINE)
    assert sorted(listed) == sorted(importlib.import_module(name).__all__)


# In one process, since the import of torch takes seconds. The digits would take a minute.
DRAW_AND_ROUTE = """
import pathlib, torch
torch.set_num_threads(1)
import gallery, router
gallery.PICTURES["quickstart.png"] = pathlib.Path.touch
gallery.main()
router.EPOCHS = 1
router.main()
"""


@pytest.mark.engine
def test_examples_of_the_pages(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", DRAW_AND_ROUTE, "--folder", str(tmp_path)],
        check=False,
        cwd=ROOT / "examples",
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    drawn = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.*")}
    kept = {path.relative_to(DOCS) for path in (DOCS / "pictures").iterdir()}
    assert drawn == {*kept, Path("quickstart.png")}
    accuracies = re.findall(r"(\d+\.\d)%", result.stdout)
    assert len(accuracies) == 2 and min(map(float, accuracies)) > 50, result.stdout
