"""Shows what this build of zeta contains, and which parts are in use."""

from zeta._library import build


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
    cuda = f"CUDA {build.cuda_version} for {', '.join(build.cuda_architectures)}"
    facts = (
        f"build {build.build_id}",
        f"torch {build.torch_version}",
        build.compiler,
        cuda if build.cuda_version else "no CUDA kernels",
        f"CPU kernels in use: {build.cpu_capability}",
        f"huge pages: {'asked for' if build.uses_huge_pages else 'not asked for'}",
    )
    return "\n".join([f"zeta {build.version} built with:", *(f"  - {fact}" for fact in facts)])
