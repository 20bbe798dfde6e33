"""Loads libzeta.so, which registers the operators, once it is known to fit the torch in use."""

from pathlib import Path

import torch
import torch.compiler.config

LIBRARY = Path(__file__).parent / "lib" / "libzeta.so"
REBUILD = "run `pip install --no-deps --force-reinstall .` in the folder of zeta's source"

try:
    from zeta._C import (
        build_id,
        cpu_capability,
        cuda_plan,
        cuda_version,
        torch_version,
        uses_huge_pages,
        version,
    )
except ImportError as error:
    raise ImportError(
        f"zeta is not built for this Python: {error}. To build it, {REBUILD}"
    ) from None


def check_torch(found: str) -> None:
    """Raises ImportError if libzeta.so was built for another minor version of torch than found."""
    if minor(found) != minor(torch_version):
        raise ImportError(
            f"zeta {version} was built for torch {torch_version}, but torch {found} is installed. "
            f"Install torch {minor(torch_version)}, or to rebuild zeta for torch {found}, {REBUILD}"
        )


def check_cuda(found: str | None) -> None:
    """Raises ImportError if libzeta.so holds kernels for another CUDA than that of torch."""
    if cuda_version and (not found or major(found) != major(cuda_version)):
        raise ImportError(
            f"zeta {version} was built with CUDA {cuda_version}, but torch {torch.__version__} "
            f"{f'with CUDA {found}' if found else 'without CUDA'} is installed. Install a torch "
            f"with CUDA {major(cuda_version)}, or to rebuild zeta for this one, {REBUILD}"
        )


def major(full: str) -> str:
    return full.split(".")[0]


def minor(full: str) -> str:
    return ".".join(full.split(".")[:2])


def check_environment() -> None:
    """Raises ImportError if ZETA_CPU_CAPABILITY names nothing that this processor has,
    ZETA_HUGE_PAGES is neither 0 nor 1, or ZETA_CUDA_PLAN names no plan."""
    try:
        cpu_capability()
        uses_huge_pages()
        cuda_plan()
    except RuntimeError as error:
        raise ImportError(str(error)) from None


def load(library: Path) -> None:
    try:
        torch.ops.load_library(library)
    except OSError as error:
        reason = error.__cause__ or error  # torch hides what the dynamic linker said
        raise ImportError(
            f"zeta could not load {library}: {reason}. To rebuild it, {REBUILD}"
        ) from None


def check_operators() -> None:
    """Raises ImportError if another library has registered operators of the same name."""
    if not hasattr(torch.ops.zeta, "_entmax_backward"):
        raise ImportError(
            f"zeta could not register its operators: another library in this process has "
            f"registered {torch.ops.zeta.sparse_softmax.default._schema}"
        )


def tag_compile_cache() -> None:
    """Keeps torch.compile from reusing what it compiled with another build of the operators."""
    tag = f"zeta-{version}-{build_id}"
    config = torch.compiler.config
    if tag not in config.cache_key_tag:
        config.cache_key_tag = "-".join(filter(None, [config.cache_key_tag, tag]))


check_torch(torch.__version__)
check_cuda(torch.version.cuda)
check_environment()
load(LIBRARY)
check_operators()
tag_compile_cache()
