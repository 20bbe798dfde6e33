"""What pip knows of the installed package, and what type checkers find in it."""

import importlib.metadata
import inspect
import typing
from pathlib import Path

import torch

import zeta


def test_version_that_pip_knows():
    assert importlib.metadata.version("zeta-ops") == zeta.__version__


def test_is_marked_as_typed():
    assert (Path(zeta.__file__).parent / "py.typed").is_file()


def test_functions_are_typed_and_documented(operator):
    parameters = inspect.signature(operator.function).parameters
    hints = typing.get_type_hints(operator.function)
    assert set(hints) == {*parameters, "return"}
    assert hints["z"] is hints["return"] is torch.Tensor
    assert operator.function.__doc__ and operator.module.__doc__
