"""Rules of structure that every file of the package follows."""

import ast
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "src").rglob("*.py"))
ENTRIES = re.findall(r"^@\w+\{(\w+),", (ROOT / "src/perdure/references.bib").read_text(), re.MULTILINE)
KEYS = set(ENTRIES)
SMELLS = "|".join(
    (
        r"(?<!safetensors\.)torch\.load\((?!.*weights_only=True)",
        r"pickle\.loads?\(",
        r"yaml\.load\(",
        r"(?<![\w.])eval\(",
        r"torch\.manual_seed",
        r"except Exception",
    )
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT / "src").as_posix())
def test_a_file_is_one_thought(file):
    text = file.read_text()
    assert text.count("\n") <= 400
    assert not re.search(SMELLS, text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 60, node.name


@pytest.mark.parametrize("package", [METHODS, METRICS, DATASETS, STUDIES], ids=lambda package: package.package)
def test_everything_names_a_known_reference(package):
    for entry in package.entries():
        assert entry.reference in KEYS, entry.name


def test_everything_in_the_registry_of_models_is_a_model():
    """A file of `models` that holds none is listed as an exception of its registry."""
    assert [name for name in MODELS.names() if not is_dataclass(MODELS.load(name))] == []


def test_a_paper_has_one_entry():
    assert sorted(ENTRIES) == sorted(KEYS)


def test_sources_are_mirrored_by_tests():
    """Every package has its tests, in a folder of the same name."""
    packages = {path.name for path in (ROOT / "src/perdure").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert packages <= {path.name for path in (ROOT / "tests").iterdir()}
