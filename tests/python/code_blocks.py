"""The blocks of code in a file of Markdown."""

import re
from pathlib import Path


def code_blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """Each with its language, in the order of the page."""
    fenced = rf"^```({'|'.join(languages)})\n(.*?)^```"
    return re.findall(fenced, page.read_text(), re.MULTILINE | re.DOTALL)
