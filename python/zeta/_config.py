"""Shows what this build of zeta contains, and which parts are in use."""

from zeta import _C


def show_config() -> str:
    """Return what the build holds, one fact a line, in the manner of ``torch.__config__.show()``.

    Example:
        >>> import zeta
        >>> print(zeta.show_config())  # doctest: +SKIP
        zeta 0.1.0 built with:
          - build 0123456789abcdef
          - torch 2.15.0
          - GNU 12.2.0
          - CUDA 13.0.88 for sm_75, sm_80, sm_86, sm_90, sm_100, sm_120, compute_120
          - CPU kernels in use: avx512
          - huge pages: asked for
    """
    cuda = f"CUDA {_C.cuda_version} for {', '.join(_C.cuda_architectures)}"
    facts = (
        f"build {_C.build_id}",
        f"torch {_C.torch_version}",
        _C.compiler,
        cuda if _C.cuda_version else "no CUDA kernels",
        f"CPU kernels in use: {_C.cpu_capability()}",
        f"huge pages: {'asked for' if _C.uses_huge_pages() else 'not asked for'}",
    )
    return "\n".join([f"zeta {_C.version} built with:", *(f"  - {fact}" for fact in facts)])
