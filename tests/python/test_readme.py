"""The code of the README runs as it stands there, and its badges and versions are true."""

import re
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest
from code_blocks import run_program, run_python_blocks

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES CXX)
add_executable(program main.cpp)
"""


def test_readme(tmp_path: Path) -> None:
    run_python_blocks([README], tmp_path)
    printed = run_program(README, tmp_path, PROJECT)
    assert "0.5000" in printed and "0.3000" in printed and "0.2000" in printed


def test_links() -> None:
    links = re.findall(r"\]\((?!https:)(.*?)\)", README.read_text())
    assert links and [link for link in links if not (ROOT / link).exists()] == []


def shown(path: str) -> str:
    return unquote(path).replace("-", " ").replace("_", " ")


@pytest.mark.engine
def test_badges() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    [torches] = re.findall(r"^TORCHES \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    oldest, *_, newest = (version.removesuffix(".0") for version in torches.split())
    expected = [
        f"licence {project['license']}",
        f"Python {project['requires-python']}",
        f"torch {oldest} to {newest}",
    ]
    badges = re.findall(
        r"\[!\[(.*)\]\(https://img.shields.io/badge/(.*)-blue\)\]", README.read_text()
    )
    assert [text for text, _ in badges] == expected
    assert [shown(path) for _, path in badges] == expected
