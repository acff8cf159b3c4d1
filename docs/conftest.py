"""The Python of every page runs, page by page, in the order in which it is read."""

from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()], patterns=["how-to/add-*.md", "how-to/read-*.md", "tutorials/*.md"]
).pytest()
