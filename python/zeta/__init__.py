"""Sparse operators for PyTorch. Importing zeta registers them: torch.ops.zeta.sparse_softmax."""

from pathlib import Path

from zeta import _library, _nested, nn, ops  # in this order: _library loads the operators
from zeta._config import show_config

__version__ = _library.build.version
__all__ = ["__version__", "cmake_prefix_path", "nn", "ops", "show_config"]

cmake_prefix_path = str(Path(__file__).parent / "share" / "cmake")
"""C++ programs find zeta by this: find_package(Zeta) with this folder in CMAKE_PREFIX_PATH."""
