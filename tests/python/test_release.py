"""That the version, the changelog and the tag of a release fit each other."""

from pathlib import Path

import pytest

from tools.release_notes import ROOT, newest_entry, release_notes

pytestmark = pytest.mark.engine

CHANGELOG = """# Changelog

What users notice.

## [1.2.0] - {}

### Added
- A thing.

## [1.1.0] - 2026-01-31

### Fixed
- Another.
"""


def test_newest_entry_of_the_changelog_is_that_of_the_version():
    entry = newest_entry((ROOT / "CHANGELOG.md").read_text())
    assert entry.version == (ROOT / "VERSION").read_text().strip()
    assert entry.notes


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "VERSION").write_text("1.2.0\n")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG.format("2026-02-28"))
    return tmp_path


def test_notes_are_those_of_the_newest_entry(project):
    assert release_notes("v1.2.0", project) == "### Added\n- A thing."


def test_another_tag_is_refused(project):
    with pytest.raises(SystemExit, match=r"VERSION: expected the tag v1\.2\.0, but got v1\.3\.0"):
        release_notes("v1.3.0", project)


def test_version_that_the_changelog_lacks_is_refused(project):
    (project / "VERSION").write_text("1.3.0\n")
    message = r"CHANGELOG\.md: expected the newest entry to be 1\.3\.0, but it is 1\.2\.0"
    with pytest.raises(SystemExit, match=message):
        release_notes("v1.3.0", project)


def test_entry_without_a_date_is_refused(project):
    (project / "CHANGELOG.md").write_text(CHANGELOG.format("unreleased"))
    message = r"CHANGELOG\.md: expected the date of 1\.2\.0, but got unreleased"
    with pytest.raises(SystemExit, match=message):
        release_notes("v1.2.0", project)


def test_changelog_without_entries_is_refused():
    with pytest.raises(SystemExit, match=r"expected an entry that begins with ## \[VERSION\]"):
        newest_entry("# Changelog\n")
