"""The changes of the engine that are explained, so that nobody has to try them, are changes of it."""

import sys
import tomllib

import pytest

from tools import mutate

pytestmark = pytest.mark.engine

EXPLAINED = tomllib.loads(mutate.EXPLAINED.read_text())["mutants"]


@pytest.mark.parametrize("file", sorted({group["file"] for group in EXPLAINED}))
def test_explained_mutants_are_changes_of_the_file(file):
    mutants = mutate.mutations_of(file, range(sys.maxsize))
    explained = {line for group in EXPLAINED if group["file"] == file for line in group["become"]}
    text = (mutate.SOURCES / file).read_text()
    assert explained <= {mutant.becomes(text) for mutant in mutants}
