"""Which devices the tests run on, and that tests/README.md says so."""

import pytest

from tools.collected_tests import TESTS, collect, devices_of, with_devices

pytestmark = pytest.mark.engine


def test_devices_of_collected_tests():
    tests = collect()
    assert devices_of("test_autograd.py::test_gradcheck", tests) == {"CPU", "CUDA"}
    assert devices_of("test_transforms.py::test_jacobians", tests) == {"CPU"}
    assert devices_of("test_errors.py::test_integers_without_dtype", tests) == {"CPU", "meta"}
    assert devices_of("test_cuda.py", tests) == {"CUDA"}
    assert devices_of("CudaForward.EqualsTheCpuAndTheReference", tests) == {"CPU"}
    assert devices_of("test_autograd.py::test_grad", tests) == set()


def test_devices_of_some_tests_are_said_to_be_in_part():
    made_up = {"test_a.py::test_both": {"CPU", "CUDA"}, "test_a.py::test_cpu": {"CPU"}}
    text = "| what | `test_a.py::test_both` `test_a.py::test_cpu` | CUDA |\n"
    assert with_devices(text, made_up) == text.replace("| CUDA", "| CPU, CUDA in part")


def test_families_have_the_devices_of_their_tests():
    text = (TESTS / "README.md").read_text()
    assert text == with_devices(text, collect()), "make works-with writes the devices again"
