"""C++ programs with no Python in their process: packages of AOTInductor, and TorchScript modules."""

import os
import re
import subprocess
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

import zeta

SOURCES = Path(__file__).parents[1] / "programs"

assert_near = partial(torch.testing.assert_close, rtol=1e-4, atol=1e-5)


def attempt(*command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        check=False,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=600,
    )


def run(*command: object, **variables: str) -> str:
    result = attempt(*command, **variables)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs, built as a user's project would be."""
    build = tmp_path_factory.mktemp("programs")
    prefix = f"-DCMAKE_PREFIX_PATH={zeta.cmake_prefix_path}"
    run("cmake", "-G", "Ninja", prefix, "-S", SOURCES, "-B", build)
    run("cmake", "--build", build)
    return build


@pytest.fixture
def run_program(programs: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs a program, and checks which libraries its process loaded, at its start or later."""

    def run_and_check(name: str, *arguments: object) -> str:
        log = tmp_path / "libraries"
        printed = run(programs / name, *arguments, LD_DEBUG="files", LD_DEBUG_OUTPUT=str(log))
        notes = "".join(file.read_text() for file in tmp_path.glob(f"{log.name}.*"))
        files = re.findall(r"file=(\S+) \[\d+\];  generating link map", notes)
        libraries = {Path(file).name for file in files}
        assert {"libzeta.so", "libtorch_cpu.so"} <= libraries
        assert not [library for library in libraries if "python" in library]
        return printed

    return run_and_check


class Attention(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = torch.nn.Linear(8, 8)
        self.weights = zeta.nn.SparseSoftmax(k=4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.weights(self.query(x) @ x.mT)
        return weights @ x, weights

    @staticmethod
    def inputs(batch: int, rows: int, device: str) -> tuple[Tensor, ...]:
        return (torch.randn(batch, rows, 8, device=device),)


class Written(torch.nn.Module):
    """Weights written to memory of the model's own, and to a part of the caller's."""

    def forward(self, z: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        out = torch.empty_like(z)
        torch.ops.zeta.sparse_softmax.out(z, out=out)
        torch.ops.zeta.sparse_softmax.out(z, z.size(1) // 4, 0, out=memory[: z.size(0)])
        return out + 1, memory.sum(0)

    @staticmethod
    def inputs(batch: int, rows: int, device: str) -> tuple[Tensor, ...]:
        return torch.randn(batch, rows, device=device), torch.zeros(batch + 1, rows, device=device)


class Converted(torch.nn.Module):
    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        return (zeta.ops.sparse_softmax(z, dtype=torch.float64),)

    @staticmethod
    def inputs(batch: int, rows: int, device: str) -> tuple[Tensor, ...]:
        return (torch.randn(batch, rows, device=device),)


MODELS = {"attention": Attention, "written": Written, "converted": Converted}
TRACED_SIZE = (5, 12)
SIZES = (TRACED_SIZE, (2, 5), (3, 130), (64, 9))

# https://github.com/pytorch/pytorch/issues/169157
reads_another_dtype = pytest.mark.xfail(
    torch.__version__.startswith("2.11."),
    reason="AOTInductor of torch 2.11 calls an operator with another dtype than it was given",
)
each_model = pytest.mark.parametrize(
    "name", ["attention", "written", pytest.param("converted", marks=reads_another_dtype)]
)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple]:
    """Makes a model and its package for a device, once for all tests."""
    folder = tmp_path_factory.mktemp("packages")

    @cache
    def compiled(name: str, device: str) -> tuple[torch.nn.Module, Path]:
        model = MODELS[name]().to(device)
        inputs = model.inputs(*TRACED_SIZE, device)
        batch, rows = torch.export.Dim("batch", min=2), torch.export.Dim("rows", min=4)
        shapes = ({0: batch, 1: rows}, {0: batch + 1, 1: rows})[: len(inputs)]
        program = torch.export.export(model, inputs, dynamic_shapes=shapes)
        path = folder / f"{name}_{device}.pt2"
        torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        return model, path

    return compiled


@each_model
@torch.no_grad()
def test_package_from_python(package, name, device):
    model, path = package(name, device)
    loaded = torch._inductor.aoti_load_package(str(path))
    for size in SIZES:
        inputs = model.inputs(*size, device)
        eager_inputs = tuple(tensor.clone() for tensor in inputs)
        assert_near(tuple(loaded(*inputs)), model(*eager_inputs))
        assert_near(inputs, eager_inputs)  # The memory that was written to is among them.


@each_model
@torch.no_grad()
def test_package_from_cpp(run_program, package, name, device, tmp_path):
    model, path = package(name, device)
    calls = [list(model.inputs(*size, device)) for size in SIZES]
    torch.save(calls, tmp_path / "inputs.pt")
    run_program("run_package", path, tmp_path / "inputs.pt", tmp_path / "outputs.pt")
    outputs = torch.load(tmp_path / "outputs.pt")
    assert_near(outputs, tuple(model(*inputs) for inputs in calls))


class Mixture(torch.nn.Module):
    """Each row goes through the two experts to which the gate gives weight."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = torch.nn.Linear(6, 8)
        self.weights = zeta.nn.SparseSoftmax(k=2)
        self.experts = torch.nn.Linear(6, 8 * 3)

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.experts(x).unflatten(-1, (8, 3))
        return (self.weights(self.gate(x)).unsqueeze(-1) * outputs).sum(-2)


def train(model: torch.nn.Module, x: Tensor, targets: Tensor, steps: int) -> list[float]:
    """As train_module.cpp does."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


COMPILERS = {
    "script": lambda module, x: torch.jit.script(module),
    "trace": lambda module, x: torch.jit.trace(module, x[:4]),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_module_trained_in_cpp(run_program, compiler, device, tmp_path):
    model = Mixture().to(device)
    x = torch.randn(64, 6, device=device)
    targets = x[:, :3].abs()
    paths = [tmp_path / f"{name}.pt" for name in ("module", "batch", "trained", "outputs")]
    module_path, batch_path, trained_path, outputs_path = paths
    COMPILERS[compiler](model, x).save(module_path)
    torch.save([x, targets], batch_path)
    losses = [float(line) for line in run_program("train_module", *paths).split()]
    untrained, frozen, optimized = torch.load(outputs_path)

    assert_near(untrained, model(x).detach())
    assert_near(losses, train(model, x, targets, len(losses)))
    assert losses[-1] < losses[0] / 2
    trained = torch.jit.load(trained_path)
    assert_near(dict(trained.named_parameters()), dict(model.named_parameters()))
    for outputs in (trained(x).detach(), frozen, optimized):
        assert_near(outputs, model(x).detach())


PROGRAMS = {"run_package": 3, "train_module": 4}


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_without_arguments_says_what_it_expects(programs, program):
    result = attempt(programs / program)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: ")


@pytest.mark.parametrize(("program", "argument_count"), PROGRAMS.items())
def test_program_without_its_files_fails(programs, program, argument_count, tmp_path):
    result = attempt(programs / program, *[tmp_path / "missing.pt"] * argument_count)
    assert result.returncode == 1
    assert "cannot open " + str(tmp_path / "missing.pt") in result.stderr
