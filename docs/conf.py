"""The documentation site: `make docs` writes it to build/docs."""

import sys
from pathlib import Path

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER / "extensions"))

project = "zeta"
author = "The zeta authors"
copyright = "2026 the zeta authors"
version = release = (FOLDER.parent / "VERSION").read_text().strip()

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "cpp_header", "mathml"]
# The page of the folder "tables" includes this one, which has no title.
exclude_patterns = ["works_with.md"]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_custom_sections = ["Source", "Sources"]
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"zeta {version}"
html_static_path = ["static"]
html_css_files = ["zeta.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
