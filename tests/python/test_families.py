"""The families of cases in tests/README.md have tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
HEAD = "| family | tests | devices |\n|---|---|---|\n"
TABLE = (TESTS / "README.md").read_text().partition(HEAD)[2].partition("\n\n")[0].splitlines()


def exists(name: str) -> bool:
    if "." in name and ".py" not in name:
        suite, _, test = name.partition(".")
        sources = (TESTS / "cpp").glob("*.cpp")
        return any(re.search(rf"TEST\w*\({suite}, {test}\)", file.read_text()) for file in sources)
    file, _, test = name.partition("::")
    path = TESTS / "python" / file
    return path.exists() and (not test or f"\ndef {test}(" in path.read_text())


def test_each_has_tests_and_devices():
    assert TABLE
    for line in TABLE:
        family, tests, devices = (cell.strip() for cell in line.strip("|").split("|"))
        names = re.findall(r"`([^`]+)`", tests)
        assert names and [name for name in names if not exists(name)] == [], family
        found = {device.removesuffix(" in part") for device in devices.split(", ")}
        assert found <= {"CPU", "CUDA", "meta"}, family
