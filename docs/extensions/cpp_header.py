"""Documents a C++ header by its comments: what follows /// is Markdown, and is about the declarations
below it, up to the next comment.

    ```{cpp-header} path/to/header.h
    ```
"""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DOCUMENTED = re.compile(r"((?:^///.*\n)+)((?:^(?!///|}  // namespace).*\n)+)", re.MULTILINE)
DECLARATION = re.compile(r"([^;{}]+?\))\s*(?:;|\{[^{}]*\})\s*")


def documented(header: str) -> Iterator[tuple[str, list[str]]]:
    """Each comment with the declarations below it, whose bodies are left out."""
    for comment, code in DOCUMENTED.findall(header):
        declarations = [" ".join(part.split()) for part in DECLARATION.findall(code)]
        if DECLARATION.sub("", code).strip():
            raise ValueError(f"a declaration that is no function: {code}")
        yield re.sub(r"^/// ?", "", comment, flags=re.MULTILINE), declarations


class CppHeader(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        _, name = self.env.relfn2path(self.arguments[0])
        path = Path(name)
        self.env.note_dependency(path)
        header = path.read_text()
        [namespace] = re.findall(r"^namespace (\w+) \{$", header, re.MULTILINE)
        return [
            self.describe(comment, [self.qualified(each, namespace) for each in declarations])
            for comment, declarations in documented(header)
        ]

    def qualified(self, declaration: str, namespace: str) -> str:
        declaration = re.sub(r"\b(ZETA_API|inline) ", "", declaration)
        return re.sub(r"(\w+\()", rf"{namespace}::\1", declaration, count=1)

    def describe(self, comment: str, declarations: list[str]) -> addnodes.desc:
        """One description, with the signatures of all its declarations."""
        descriptions = [self.function(each) for each in declarations]
        described = descriptions[-1]
        content = self.parse(comment.splitlines())
        described.insert(0, [part[0] for part in descriptions[:-1]])
        described[-1].extend(content)
        return described

    def function(self, declaration: str) -> addnodes.desc:
        parsed = self.parse([f"```{{cpp:function}} {declaration}", "```"])
        [description] = [node for node in parsed if isinstance(node, addnodes.desc)]
        return description

    def parse(self, lines: list[str]) -> list[nodes.Node]:
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, "header"), self.content_offset, parent)
        return parent.children


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("cpp-header", CppHeader)
    return {"parallel_read_safe": True}
