"""Prints the notes of a release, if its tag fits VERSION and CHANGELOG.md:

python -m tools.release_notes v0.1.0
"""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENTRY = re.compile(
    r"^## \[(?P<version>.+?)\] - (?P<date>.+?)\n(?P<notes>.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Entry:
    version: str
    date: str  # or "unreleased"
    notes: str


def newest_entry(changelog: str) -> Entry:
    found = ENTRY.search(changelog)
    if not found:
        raise SystemExit("CHANGELOG.md: expected an entry that begins with ## [VERSION] - DATE")
    return Entry(found["version"], found["date"], found["notes"].strip())


def release_notes(tag: str, root: Path = ROOT) -> str:
    version = (root / "VERSION").read_text().strip()
    entry = newest_entry((root / "CHANGELOG.md").read_text())
    if tag != f"v{version}":
        raise SystemExit(f"VERSION: expected the tag v{version}, but got {tag}")
    if entry.version != version:
        raise SystemExit(
            f"CHANGELOG.md: expected the newest entry to be {version}, but it is {entry.version}"
        )
    if not DATE.fullmatch(entry.date):
        raise SystemExit(f"CHANGELOG.md: expected the date of {version}, but got {entry.date}")
    return entry.notes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.release_notes", description=__doc__)
    parser.add_argument("tag")
    print(release_notes(parser.parse_args().tag))


if __name__ == "__main__":
    main()
