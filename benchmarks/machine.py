"""What a measurement depends on besides the code: machine, versions, instruction set."""

import json
import os
import platform
import subprocess
from datetime import date

import torch

import zeta
from benchmarks import pages, rivals


def facts(device: str, threads: int) -> dict[str, str]:
    return _gpu_facts() if device == "cuda" else _cpu_facts(threads)


def _versions() -> dict[str, str]:
    return {
        "date": date.today().isoformat(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "zeta": zeta.__version__,
        "zeta_build": zeta._library.build.build_id,
        "compiler": zeta._library.build.compiler,
        **rivals.versions(),
    }


def _gpu_facts() -> dict[str, str]:
    gpu = torch.cuda.get_device_properties("cuda")
    return {
        **_versions(),
        "gpu": gpu.name,
        "multiprocessors": str(gpu.multi_processor_count),
        "l2": f"{gpu.L2_cache_size / 2**20:.0f} MiB",
        "memory": f"{gpu.total_memory / 2**30:.0f} GiB",
        "cuda": str(torch.version.cuda),
        "architectures": " ".join(zeta._library.build.cuda_architectures),
    }


def _cpu_facts(threads: int) -> dict[str, str]:
    cpu = _lscpu()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        **_versions(),
        "cpu": cpu.get("Model name", platform.processor()),
        "cpu_model": f"family {cpu.get('CPU family', '?')} model {cpu.get('Model', '?')}",
        "cores": cpu.get("CPU(s)", str(os.cpu_count())),
        "l2": cpu.get("L2 cache", "unknown"),
        "l3": cpu.get("L3 cache", "unknown"),
        "memory": f"{memory / 2**30:.0f} GiB",
        "virtual_machine": cpu.get("Hypervisor vendor", "none"),
        "huge_pages": pages.ENABLED.read_text().strip() if pages.ENABLED.exists() else "unknown",
        "capability": zeta._library.build.cpu_capability,
        "threads": str(threads),
    }


def _lscpu() -> dict[str, str]:
    """What lscpu prints, which is a tree in some of its versions."""
    printed = subprocess.run(
        ["lscpu", "--json"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout
    found: dict[str, str] = {}
    entries = json.loads(printed)["lscpu"]
    while entries:
        entry = entries.pop()
        found[entry["field"].removesuffix(":")] = entry.get("data") or ""
        entries.extend(entry.get("children", []))
    return found
