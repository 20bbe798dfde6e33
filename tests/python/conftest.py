import os
import subprocess
import sys
from pathlib import Path

# What was compiled with another build of the operators must not be found again.
os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
sys.path.insert(0, str(Path(__file__).parent))

import pytest
import torch
from _pytest.junitxml import xml_key  # pytest's own fixture for this fails under xdist
from hypothesis import settings
from operator_table import DEVICES, DTYPES, OPERATORS, Operator

import zeta

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=200)
settings.register_profile("thorough", deadline=None, max_examples=10_000)
settings.load_profile("reproducible")


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Tells tools/works_with.py what was tested, in the report of all processes that run tests."""
    report = session.config.stash.get(xml_key, None)
    if report is None:
        return
    command = ["git", "-C", Path(__file__).parent, "describe", "--always", "--dirty"]
    described = subprocess.run(command, check=False, capture_output=True, text=True)
    report.add_global_property("commit", described.stdout.strip() or "unknown")
    report.add_global_property("torch", torch.__version__)
    if torch.cuda.is_available():
        report.add_global_property("gpu", torch.cuda.get_device_name())


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    if request.param == "cuda" and zeta._library.build.cuda_version is None:
        pytest.skip("needs a build with CUDA")
    return request.param


@pytest.fixture(params=DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


@pytest.fixture(params=OPERATORS, ids=lambda operator: operator.label)
def operator(request: pytest.FixtureRequest) -> Operator:
    return request.param
