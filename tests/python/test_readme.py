"""The code of the README runs as it stands there."""

from pathlib import Path

from code_blocks import run_program, run_python_blocks

README = Path(__file__).parents[2] / "README.md"


def test_readme(tmp_path: Path) -> None:
    run_python_blocks([README], tmp_path)
    printed = run_program(README, tmp_path)
    assert "0.5000" in printed and "0.3000" in printed and "0.2000" in printed
