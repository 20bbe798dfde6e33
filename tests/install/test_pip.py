"""The ways in which pip installs zeta from its source; `make test-source` runs them.

ZETA_SOURCE is what the sdist holds, ZETA_BUILD_DIR the folder to build it in.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

USE = """
import site, sys
from pathlib import Path
sys.path = [folder for folder in sys.path if not Path(folder, "zeta").exists()]
site.addsitedir(sys.argv[1])
import torch, zeta
print(zeta.__file__, zeta.ops.sparse_softmax(torch.tensor([1.0, 1.0])).tolist())
"""


def run(*command: object, folder: Path) -> str:
    words = [str(word) for word in command]
    result = subprocess.run(
        words, check=False, cwd=folder, capture_output=True, text=True, timeout=1500
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("isolation", ["isolated", "not isolated"])
@pytest.mark.parametrize("editable", ["editable", "not editable"])
def test_install(tmp_path, isolation, editable):
    source = Path(os.environ["ZETA_SOURCE"])
    options = ["--no-deps", "--ignore-installed", "--prefix", tmp_path]
    options += ["--no-build-isolation"] if isolation == "not isolated" else []
    options += ["--editable"] if editable == "editable" else []
    run(sys.executable, "-m", "pip", "install", *options, source, folder=tmp_path)

    packages = Path(sysconfig.get_path("platlib", vars={"base": tmp_path, "platbase": tmp_path}))
    expected = source / "python" if editable == "editable" else packages
    used = run(sys.executable, "-c", USE, packages, folder=tmp_path)
    assert used == f"{expected}/zeta/__init__.py [0.5, 0.5]\n"
