"""The Python of every page runs, page by page, in the order in which it is read."""

import torch
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser

torch.set_num_threads(1)  # two threads beside other work are slower than one
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=[
        "how-to/add-*.md",
        "how-to/read-*.md",
        "how-to/explain-my-*.md",
        "how-to/use-with-*.md",
        "tutorials/*.md",
    ],
).pytest()
