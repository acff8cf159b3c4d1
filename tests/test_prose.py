"""The language of the field: no personified code, no private metaphors, no participles as names of functions.

`CLEAN` lists the paths that keep to it; it only grows. Words are matched in prose and in identifiers, which are split
first: `asked_types` and `AskedTypes` both contain "asked".
"""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CLEAN = (
    ".ci",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "benchmarks",
    "docs",
    "examples",
    "pyproject.toml",
    "src",
    "tests",
)
"""Files and folders without a banned word."""

EXEMPT = {
    "src/perdure/data/_read/images.py": {"'deviation'", "'deviations'"},
    "src/perdure/data/cifar10.py": {"'deviation'"},
    "src/perdure/data/image_folder.py": {"'deviation'"},
    "src/perdure/core/stored_array.py": {"'tell'"},
    "src/perdure/data/planted_text.py": {"'said'"},
    "src/perdure/_former.py": {"'judge'", "'judging'"},
    "src/perdure/landscape/band.py": {"the variable 'shares'"},
    "src/perdure/landscape/learning.py": {"the variable 'shares'"},
    "src/perdure/landscape/published.py": {"'share is'", "the variable 'share'"},
    "src/perdure/landscape/tracking.py": {"the variable 'share'"},
    "src/perdure/metrics/_perturbation.py": {"'share is'", "the variable 'share'"},
    "src/perdure/metrics/sensitivity_n.py": {"the variable 'share'"},
    "tests/data/test_cifar10.py": {"'deviation'"},
    "tests/data/test_image_folder.py": {"'deviation'"},
    "tests/data/test_images.py": {"'deviation'", "'deviations'"},
}
"""Words with another meaning, or stored: settings `deviation` and `share`, states of searches, generated texts."""

WORDS = {
    r"ask(s|ed|ing)?": "compute, call, request, pass",
    r"tells?|telling|told": "return, distinguish, report",
    r"says?|saying|said": "return, report, state",
    r"knows": "has, is defined for",
    r"speaks?": "is evidence for",
    r"(go|goes|going|gone|went) on": "continue, resume",
    r"of (its|their|his|her|our) own": "own, separate",
    r"stands?(?! (for|out)\b)|stood": "is",
    r"beside": "next to, and, in addition to",
    r"whom|nobody|anyone": "rephrase without a person",
    r"doors?": "entry point, function",
    r"rooms?(?!\.md)": "package",
    r"houses?": "package, library",
    r"judg(e|es|ed|ing|ement)": "evaluate, metric",
    r"(?<!half )price|at stake": "information penalty beta, target drop",
    r"(?<!\")squeeze[ds]?(?![=(]| backward)": "optimise the mask",
    r"shares? (of|at|that|in|is|are)": "fraction",
    r"(?<!standard )deviations?": "standard deviation",
    r"turned (a)?round": "negated",
    r"signs (of|that|at)": "characters",
    r"(to|can|could) be had": "is available",
    r"from elsewhere|(come|comes|came) by": "rephrase",
    r"look(s|ed|ing)? at|looks? inside": "inspect, select, explain",
    r"bears?|dislikes?|refuses?|wants?|wishes": "do not personify: support, reject, require",
    r"gets? by|at hand|put down|taken up": "rephrase",
}
"""Banned words of prose and identifiers, with what to write instead."""

NAMES = {"found", "one", "some", "told", "asked", "share", "shares", "here", "others"}
"""Banned names of variables: write result, item, fraction, or the noun."""

NO_PARTICIPLE = {"embed", "feed", "need", "seed", "speed", "proceed", "exceed"}
IRREGULAR = {
    "drawn",
    "given",
    "held",
    "known",
    "laid",
    "left",
    "made",
    "met",
    "seen",
    "shown",
    "taken",
    "told",
    "written",
}

NO_NOUN = "of|for|to|in|at|on|by|whose|with|what|which|whom|how|where|when|why"
ENTRY = re.compile(rf"^ {{4,}}[a-z]\w*: ({NO_NOUN}) ", re.MULTILINE)
"""An entry of Args that does not begin with a noun; "whether" is usual for a bool."""

FORBIDDEN = re.compile(r"\b(" + "|".join(f"(?:{words})" for words in WORDS) + r")\b")
SUFFIXES = {".py", ".md", ".j2", ".js", ".toml", ".cff", ""}


def list_tracked() -> list[str]:
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    return [name for name in files.stdout.splitlines() if (ROOT / name).is_file()]


def is_clean(name: str) -> bool:
    return any(name == path or name.startswith(f"{path}/") for path in CLEAN)


FILES = [
    name
    for name in list_tracked()
    if is_clean(name) and Path(name).suffix in SUFFIXES and name != "tests/test_prose.py" and "/results/" not in name
]


def split_words(text: str) -> str:
    """Split identifiers into lower-case words, and join lines so that no phrase hides at the end of one."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", " ", text).lower()
    return re.sub(r"\s+(# )?", " ", text)


def names_in(tree: ast.AST) -> set[str]:
    stored = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return stored | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def participles_in(tree: ast.AST) -> set[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    methods = {
        node.name.strip("_") for node in functions if not any("property" in ast.unparse(d) for d in node.decorator_list)
    }
    return {
        name for name in methods if name in IRREGULAR or (re.fullmatch(r"[a-z]+ed", name) and name not in NO_PARTICIPLE)
    }


def complaints(text: str, is_python: bool) -> list[str]:
    listed = [f"'{match[0].strip()}'" for match in FORBIDDEN.finditer(split_words(text))]
    if is_python:
        tree = ast.parse(text)
        listed += [f"the variable '{name}'" for name in sorted(names_in(tree) & NAMES)]
        listed += [f"the function '{name}'" for name in sorted(participles_in(tree))]
        listed += [f"the entry '{match[0].strip()} ...'" for match in ENTRY.finditer(text)]
    return listed


@pytest.mark.parametrize("name", FILES)
def test_a_file_uses_the_words_of_the_field(name):
    listed = complaints((ROOT / name).read_text(encoding="utf-8"), name.endswith(".py"))
    assert [complaint for complaint in listed if complaint not in EXEMPT.get(name, ())] == []


def test_every_clean_path_exists():
    assert all((ROOT / path).exists() for path in CLEAN)


@pytest.mark.parametrize(
    "text",
    [
        "The model is asked.",
        "def asked_types(): ...",
        "class ToldTypes: ...",
        "a stream of\n    its own",
        "def drawn(): ...",
        "def embedded(): ...",
        "found = 1",
        'def f(seed):\n    """Do.\n\n    Args:\n        seed: of what is drawn.\n    """',
        "the share of sites",
    ],
)
def test_what_is_banned_is_found(text):
    assert complaints(text, text.startswith(("def", "class", "found")))


@pytest.mark.parametrize("text", ["x.squeeze(1)", "the standard deviation", "def embed(): ...", "stands for a class"])
def test_what_is_usual_is_not(text):
    assert not complaints(text, text.startswith("def"))
