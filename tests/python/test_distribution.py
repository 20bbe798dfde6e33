"""What pip knows of the installed package, and what type checkers find in it."""

import importlib.metadata
import inspect
import typing
from pathlib import Path

import pytest
import torch

import zeta


def test_version_that_pip_knows():
    assert importlib.metadata.version("zeta-ops") == zeta.__version__


def test_is_marked_as_typed():
    assert (Path(zeta.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", zeta.ops.__all__)
def test_functions_are_typed_and_documented(name):
    function = getattr(zeta.ops, name)
    parameters = inspect.signature(function).parameters
    hints = typing.get_type_hints(function)
    assert set(hints) == {*parameters, "return"}
    is_compact = name.endswith("_compact")
    assert hints["z"] is torch.Tensor
    assert hints["return"] == (tuple[torch.Tensor, torch.Tensor] if is_compact else torch.Tensor)
    assert function.__doc__


@pytest.mark.parametrize("name", zeta.nn.__all__)
def test_modules_are_documented(name):
    assert getattr(zeta.nn, name).__doc__
