"""The documentation: Sphinx with MyST and furo; the reference is made from the docstrings."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "perdure"
author = "the perdure maintainers"
release = version = metadata.version("perdure")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinxcontrib.bibtex",
    "measured",
    "reference",
]
root_doc = "index"
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
bibtex_bibfiles = ["../src/perdure/references.bib"]
bibtex_default_style = "unsrt"

html_theme = "furo"
html_title = "perdure"
html_static_path: list[str] = []
html_show_sphinx = False
