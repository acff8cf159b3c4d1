"""The Python of every page runs, page by page, in the order in which it is read."""

import pytest
import torch
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

RUN = ("how-to/add-*.md", "how-to/explain-my-*.md", "how-to/read-*.md", "how-to/use-with-*.md", "tutorials/*.md")

torch.set_num_threads(1)  # two threads beside other work are slower than one
pytest_collect_file = Sybil(parsers=[PythonCodeBlockParser()], patterns=RUN).pytest()


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the pieces of a page in one process."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
