"""C++ programs with no Python in their process: packages of AOTInductor, and TorchScript modules."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import zeta

ROOT = Path(__file__).parents[2]
PROJECTS = {"programs": ROOT / "tests/programs", "examples": ROOT / "examples/cpp"}

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
    """The folder of the projects with the programs, each built as a user's would be."""
    folder = tmp_path_factory.mktemp("projects")
    prefix = f"-DCMAKE_PREFIX_PATH={zeta.cmake_prefix_path}"
    for name, source in PROJECTS.items():
        run("cmake", "-G", "Ninja", prefix, "-S", source, "-B", folder / name)
        run("cmake", "--build", folder / name)
    return folder


@pytest.fixture
def run_program(programs: Path, tmp_path: Path) -> Callable[..., str]:
    """Runs a program, and checks which libraries its process loaded, at its start or later."""

    def run_and_check(name: str, *arguments: object, **variables: str) -> str:
        log = tmp_path / "libraries"
        variables |= {"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(log)}
        printed = run(programs / name, *arguments, **variables)
        notes = "".join(file.read_text() for file in tmp_path.glob(f"{log.name}.*"))
        files = re.findall(r"file=(\S+) \[\d+\];  generating link map", notes)
        libraries = {Path(file).name for file in files}
        assert {"libzeta.so", "libtorch_cpu.so"} <= libraries
        assert not [library for library in libraries if "python" in library]
        return printed

    return run_and_check


class Attention(torch.nn.Module):
    """Attention to what the mask of each batch leaves, which is nothing of the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.query = torch.nn.Linear(8, 8)
        self.weights = zeta.nn.SparseSoftmax(k=4)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        weights = self.weights(self.query(x) @ x.mT, mask=mask[:, None])
        return weights @ x, weights

    @staticmethod
    def inputs(batch: int, rows: int, device: str) -> tuple[Tensor, ...]:
        mask = torch.rand(batch, rows, device=device) < 0.6
        mask[-1] = False
        return torch.randn(batch, rows, 8, device=device), mask

    @staticmethod
    def shapes(batch: Any, rows: Any) -> tuple[dict[int, Any], ...]:
        return {0: batch, 1: rows}, {0: batch, 1: rows}


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

    @staticmethod
    def shapes(batch: Any, rows: Any) -> tuple[dict[int, Any], ...]:
        return {0: batch, 1: rows}, {0: batch + 1, 1: rows}


class Converted(torch.nn.Module):
    def forward(self, z: Tensor) -> tuple[Tensor, ...]:
        return (zeta.ops.sparse_softmax(z, dtype=torch.float64),)

    @staticmethod
    def inputs(batch: int, rows: int, device: str) -> tuple[Tensor, ...]:
        return (torch.randn(batch, rows, device=device),)

    @staticmethod
    def shapes(batch: Any, rows: Any) -> tuple[dict[int, Any], ...]:
        return ({0: batch, 1: rows},)


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
        program = torch.export.export(model, inputs, dynamic_shapes=model.shapes(batch, rows))
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
    run_program("programs/run_package", path, tmp_path / "inputs.pt", tmp_path / "outputs.pt")
    outputs = torch.load(tmp_path / "outputs.pt")
    assert_near(outputs, tuple(model(*inputs) for inputs in calls))


@dataclass(frozen=True)
class Digits:
    """Made-up images, in the form of the real ones that export_digits.py writes."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@pytest.fixture
def digits() -> Digits:
    of_each_label = torch.rand(10, 1, 8, 8)
    labels = torch.arange(1000) % 10
    images = (of_each_label[labels] + 0.5 * torch.randn(1000, 1, 8, 8)).clamp(0, 1)
    return Digits(images[:800], labels[:800], images[800:], labels[800:])


@pytest.fixture
def digits_path(digits: Digits, tmp_path: Path) -> Path:
    path = tmp_path / "digits.pt"
    torch.save(vars(digits), path)
    return path


class Mixture(torch.nn.Module):
    """Each image goes through the two experts to which the gate gives weight."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = torch.nn.Linear(64, 8)
        self.weights = zeta.nn.SparseSoftmax(k=2)
        self.experts = torch.nn.Linear(64, 8 * 10)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = images.flatten(1)
        weights = self.weights(self.gate(pixels))
        outputs = self.experts(pixels).unflatten(-1, (8, 10))
        return (weights.unsqueeze(-1) * outputs).sum(-2), weights


def train(model: torch.nn.Module, digits: Digits, device: str, epochs: int) -> list[float]:
    """As fine_tune_module.cpp does."""
    images, labels = digits.train_images.to(device), digits.train_labels.to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for batch, batch_labels in zip(images.split(64), labels.split(64), strict=True):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(batch)[0], batch_labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch_labels)
        losses.append(total / len(labels))
    return losses


@torch.no_grad()
def accuracy(model: torch.nn.Module, digits: Digits, device: str) -> str:
    """As the examples print it."""
    predictions = model(digits.test_images.to(device))[0].argmax(1).cpu()
    return f"{100 * (predictions == digits.test_labels).double().mean():.1f}"


def percentages(printed: str) -> list[str]:
    return re.findall(r"([\d.]+) %", printed)


COMPILERS = {
    "script": lambda module, x: torch.jit.script(module),
    "trace": lambda module, x: torch.jit.trace(module, x[:4]),
}


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
@pytest.mark.parametrize("compiler", COMPILERS)
def test_module_trained_in_cpp(run_program, compiler, digits, digits_path, device, tmp_path):
    model = Mixture().to(device)
    images = digits.test_images.to(device)
    module_path, trained_path = tmp_path / "module.pt", tmp_path / "trained.pt"
    COMPILERS[compiler](model, images).save(module_path)
    printed = run_program("examples/fine_tune_module", module_path, digits_path, trained_path)
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", printed)]
    before, after = percentages(printed)

    assert before == accuracy(model, digits, device)
    assert_near(losses, train(model, digits, device, len(losses)))
    assert losses[-1] < losses[0] / 2
    assert after == accuracy(model, digits, device)
    assert float(after) > float(before)
    trained = torch.jit.load(trained_path)
    assert_near(dict(trained.named_parameters()), dict(model.named_parameters()))
    for module in (trained, torch.jit.freeze(trained.eval())):
        assert_near(module(images), model(images))


def test_classifier_written_in_cpp(run_program, digits_path, device, tmp_path):
    # It takes a GPU where there is one.
    variables = {"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}
    arguments = (digits_path, tmp_path / "trained.pt", 15)
    trained, zeros, loaded = percentages(
        run_program("examples/train_classifier", *arguments, **variables)
    )
    assert float(trained) > 50
    assert float(zeros) >= 95.3  # 61 of 64
    assert loaded == trained


def test_package_of_a_classifier(run_program, digits, digits_path, device, tmp_path):
    model = Mixture().to(device)
    train(model, digits, device, epochs=5)
    images = digits.test_images.to(device)
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(model, (images,), dynamic_shapes=shapes)
    path = tmp_path / "package.pt2"
    torch._inductor.aoti_compile_and_package(program, package_path=str(path))
    printed = run_program("examples/run_package", path, digits_path)
    assert set(percentages(printed)) == {accuracy(model, digits, device)}


PROGRAMS = {
    "programs/run_package": 3,
    "examples/train_classifier": 2,
    "examples/fine_tune_module": 3,
    "examples/run_package": 2,
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_without_arguments_says_what_it_expects(programs, program):
    result = attempt(programs / program)
    assert result.returncode == 2
    assert result.stderr.startswith(f"usage: {programs / program} ")


@pytest.mark.parametrize(("program", "argument_count"), PROGRAMS.items())
def test_program_without_its_files_fails(programs, program, argument_count, tmp_path):
    missing = tmp_path / "missing.pt"
    result = attempt(programs / program, *[missing] * argument_count)
    assert result.returncode == 1
    assert result.stderr.startswith(f"{programs / program}: ")
    assert str(missing) in result.stderr
