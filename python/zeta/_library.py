"""Loads the engine, and of the operators those that fit the torch in use, which registers them."""

import ctypes
import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.compiler.config

FOLDER = Path(__file__).parent / "lib"
ENGINE = FOLDER / "libzeta_engine.so"
REBUILD = "run `pip install --no-deps --force-reinstall .` in the folder of zeta's source"


@dataclass(frozen=True)
class Build:
    """What this build of zeta holds, and which parts of it are in use."""

    version: str
    build_id: str
    torch_version: str  # that the operators were built for
    compiler: str
    cuda_version: str | None
    cuda_architectures: tuple[str, ...]
    cpu_capability: str
    uses_huge_pages: bool


def major(full: str) -> str:
    return full.split(".")[0]


def minor(full: str) -> str:
    return ".".join(full.split(".")[:2])


def operators_for(found: str) -> Path:
    """The folder with the operators for a version of torch. Raises ImportError if there is none."""
    folder = FOLDER / f"torch-{minor(found)}"
    if folder.is_dir():
        return folder
    held = [path.name.removeprefix("torch-") for path in FOLDER.glob("torch-*")]
    held.sort(key=lambda name: [int(number) for number in name.split(".")])
    raise ImportError(
        f"zeta in {FOLDER.parent} has operators for torch {', '.join(held) or '(none)'}, but torch "
        f"{found} is installed. Install a torch that is named, or to build zeta for torch {found}, "
        f"{REBUILD}"
    )


def check_cuda(built: str, found: str | None) -> None:
    """Raises ImportError if the kernels are for another CUDA than that of torch."""
    if built and (not found or major(found) != major(built)):
        raise ImportError(
            f"zeta was built with CUDA {built}, but torch {torch.__version__} "
            f"{f'with CUDA {found}' if found else 'without CUDA'} is installed. Install a torch "
            f"with CUDA {major(built)}, or to rebuild zeta for this one, {REBUILD}"
        )


def load_engine(version: str) -> dict[str, str]:
    """What the engine says of itself. Raises ImportError if it does not load or fit, or if
    ZETA_CPU_CAPABILITY names nothing that this processor has, ZETA_HUGE_PAGES is neither 0 nor 1,
    or ZETA_CUDA_PLAN names no plan."""
    try:
        engine = ctypes.CDLL(str(ENGINE))
        for function in (engine.zeta_engine_config, engine.zeta_engine_error):
            function.restype = ctypes.c_char_p
    except (OSError, AttributeError) as error:
        raise ImportError(
            f"zeta could not load {ENGINE}: {error}. To rebuild it, {REBUILD}"
        ) from None
    if engine.zeta_engine_error():
        raise ImportError(engine.zeta_engine_error().decode())
    lines = engine.zeta_engine_config().decode().splitlines()
    config = dict(line.split(" ", 1) for line in lines)
    if config["version"] != version:
        raise ImportError(
            f"{ENGINE} is of zeta {config['version']}, but the operators beside it are of zeta "
            f"{version}. To rebuild both, {REBUILD}"
        )
    return config


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
    tag = f"zeta-{build.version}-{build.build_id}"
    config = torch.compiler.config
    if tag not in config.cache_key_tag:
        config.cache_key_tag = "-".join(filter(None, [config.cache_key_tag, tag]))


_operators = operators_for(torch.__version__)
LIBRARY = _operators / "libzeta.so"
_facts = json.loads((_operators / "operators.json").read_text())
check_cuda(_facts["cuda"], torch.version.cuda)
_config = load_engine(_facts["version"])
load(LIBRARY)
check_operators()

build = Build(
    version=_facts["version"],
    build_id=_facts["build_id"],
    torch_version=_facts["torch"],
    compiler=_config["compiler"],
    cuda_version=_config["cuda_version"] or None,
    cuda_architectures=tuple(filter(None, _config["cuda_architectures"].split(", "))),
    cpu_capability=_config["cpu_capability"],
    uses_huge_pages=_config["huge_pages"] == "1",
)
tag_compile_cache()
