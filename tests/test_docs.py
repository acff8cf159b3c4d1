"""The Python of the documentation runs, each page from its first line to its last, and prints what the page shows."""

import ast
import contextlib
import importlib.util
import io
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [page for folder in ("tutorials", "how-to") for page in sorted((DOCS / folder).glob("*.md"))]
WRITTEN = ("", "tutorials", "how-to", "explanation", "notes")
"""Folders of pages that are not generated."""

LINKED = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(p for name in WRITTEN for p in sorted((DOCS / name).glob("*.md"))),
]
README_LIMIT = 6_000
"""Bytes of the README: one screen and a half."""

EXTENSION = {"add-a-dataset", "add-a-method", "add-a-metric"}
"""Pages whose code becomes a file of the package, which imports from its modules."""

NUMBER = re.compile(r"-?\d+\.\d+|\d+")
TOLERANCE = 0.15
"""Largest difference of a printed number: training differs between machines in the last bits."""


def blocks(page: Path) -> list:
    """Return the fenced blocks of a page, without those that a comment excludes."""
    fences = [token for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) if token.type == "fence"]
    return [fence for fence in fences if not fence.content.startswith("# not run:")]


def run(page: Path) -> list[tuple[str, str | None]]:
    """Run the Python of a page; return what each block printed, with the output that the page shows for it."""
    names: dict = {"__name__": "__main__"}
    outputs = []
    fences = blocks(page)
    for fence, after in zip(fences, [*fences[1:], None], strict=True):
        if fence.info != "python":
            continue
        code = "\n" * fence.map[0] + "\n" + fence.content  # lines are those of the page
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(code, str(page), "exec"), names)
        shown = after.content if after is not None and after.info == "text" else None
        outputs.append((printed.getvalue(), shown))
    return outputs


def imports_of(code: str) -> set[str]:
    """Return the modules of perdure that a block imports."""
    nodes = list(ast.walk(ast.parse(code)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name for name in names if name.split(".")[0] == "perdure"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_and_prints_what_is_shown(page):
    for printed, shown in run(page):
        if shown is None:
            continue
        assert NUMBER.sub("#", printed).split() == NUMBER.sub("#", shown).split(), printed
        for computed, written in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
            assert float(computed) == pytest.approx(float(written), abs=TOLERANCE), printed


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_a_page_imports_public_namespaces_only(page):
    public = {"perdure", *(f"perdure.{name}" for name in ("methods", "metrics", "data", "models", "nn"))}
    if page.stem in EXTENSION:
        public |= {"perdure.core.metric", "perdure.core.query", "perdure.core.attribution"}
    for fence in blocks(page):
        if fence.info == "python":
            assert imports_of(fence.content) <= public


def test_the_readme_is_short_and_names_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.encode()) <= README_LIMIT
    assert "make demo" in readme
    assert "make test" in readme


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_to_a_file(page):
    for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


def test_the_page_of_benchmarks_is_that_of_the_results():
    spec = importlib.util.spec_from_file_location("measured", DOCS / "measured.py")
    measured = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(measured)
    assert (DOCS / "benchmarks.md").read_text(encoding="utf-8") == measured.compose()


def test_a_how_to_shows_a_factory_that_works():
    code = next(block.content for block in blocks(DOCS / "how-to/explain-my-model.md") if "# own.py" in block.content)
    names: dict = {}
    exec(code, names)
    assert names["make"](features=6, classes=4).head.out_features == 4
