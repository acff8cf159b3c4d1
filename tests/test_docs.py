"""The Python of the documentation runs, each page from its first line to its last."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [
    page
    for pattern in (
        "how-to/add-*.md",
        "how-to/audit-from-python.md",
        "how-to/explain-my-*.md",
        "how-to/read-*.md",
        "how-to/use-with-*.md",
        "tutorials/*",
    )
    for page in sorted(DOCS.glob(pattern))
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page):
    names = {"__name__": "__main__"}
    for block in MarkdownIt().parse(page.read_text()):
        if block.type == "fence" and block.info == "python":
            code = "\n" * block.map[0] + "\n" + block.content  # lines are those of the page
            exec(compile(code, str(page), "exec"), names)


def test_the_readme_shows_a_factory_that_works():
    readme = (DOCS.parent / "README.md").read_text()
    code = next(b.content for b in MarkdownIt().parse(readme) if b.info == "python" and "# own.py" in b.content)
    names: dict = {}
    exec(code, names)
    assert names["make"](features=6, classes=4).head.out_features == 4
