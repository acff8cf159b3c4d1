"""The reference: one page for each method, metric, dataset, model, study and error, made from its docstring."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import perdure.core.errors
from perdure.core.registry import DATASETS, METHODS, METRICS, MODELS, STUDIES, Registry

REGISTRIES = {
    "methods": ("Methods", "From a model and inputs to a map.", METHODS),
    "metrics": ("Metrics", "From a map to a score between null and ceiling.", METRICS),
    "data": ("Data", "Samples, with truth where it is known.", DATASETS),
    "models": ("Models", "Networks that can be trained by name.", MODELS),
    "studies": ("Studies", "Experiments that one command repeats.", STUDIES),
}
LIBRARY = {
    "api": (
        "perdure.attribution._attribute",
        "perdure.metrics._evaluate",
        "perdure.core.query",
        "perdure.core.target",
        "perdure.core.attribution",
        "perdure.core.metric",
        "perdure.core.batch",
        "perdure.core.method",
        "perdure.core.abilities",
        "perdure.models._adapted",
        "perdure.models._token_model",
        "perdure.report.show",
    ),
    "nn": ("perdure.nn.input_attention",),
    "training": ("perdure.training.settings", "perdure.training.train", "perdure.training.checkpoint"),
    "attribution": ("perdure.attribution.iba.search", "perdure.attribution.iba.moments"),
    "stability": (),
    "landscape": (),
    "audit": (),
    "interop": (),
    "engine": (),
    "records": (),
}
"""Modules with a separate section; an empty tuple stands for all modules of the package."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the two steps: write the pages, and link references to the bibliography."""
    app.connect("builder-inited", lambda app: write(Path(app.srcdir) / "reference"))
    app.connect("autodoc-process-docstring", cite, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(folder: Path) -> None:
    """Write all pages; unchanged ones keep their dates, so that they are not built again."""
    pages = dict(_pages())
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for old in set(folder.rglob("*.md")) - {folder / name for name in pages}:
        old.unlink()


def cite(_app: Sphinx, _what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Turn the keys under 'Reference:' into citations, and mathematics into directives of the builder."""
    text = "\n".join(lines)
    lines[:] = re.sub(r"^Reference:\n\s+(\w+)", r"**Reference:** :cite:p:`\1`", text, flags=re.MULTILINE).split("\n")


def _pages() -> Iterator[tuple[str, str]]:
    registries = []
    for name, (title, summary, registry) in REGISTRIES.items():
        entries = sorted(registry.names())
        yield f"{name}/index.md", _contents(title, summary, [(entry, _summary(registry, entry)) for entry in entries])
        for entry in entries:
            yield f"{name}/{entry}.md", _page(registry, entry)
        registries.append(f"{name}/index")
    for name, modules in LIBRARY.items():
        yield f"library/{name}.md", _library(name, modules or _modules(name))
    errors = [getattr(perdure.core.errors, name) for name in perdure.core.errors.__all__]
    yield (
        "errors/index.md",
        _contents("Errors", "Each message has a cause and a remedy.", [(e.__name__, _first(e)) for e in errors]),
    )
    for error in errors:
        yield f"errors/{error.__name__}.md", _directive(error.__name__, "autoclass", _path(error))
    yield "bibliography.md", "# Bibliography\n\n```{bibliography}\n:all:\n```\n"
    library = [f"library/{name}" for name in LIBRARY]
    yield (
        "index.md",
        _tree("Reference", "Made from the docstrings.", [*registries, *library, "errors/index", "bibliography"]),
    )


def _page(registry: Registry, name: str) -> str:
    cls = registry.load(name)
    return _directive(name, "autoclass", _path(cls)) + f"\nSource: `{cls.__module__.replace('.', '/')}.py`\n"


def _library(name: str, modules: Sequence[str]) -> str:
    return f"# {name}\n\n" + "\n".join(_directive(module, "automodule", module, "##") for module in modules)


def _directive(title: str, kind: str, target: str, level: str = "#") -> str:
    return f"{level} {title}\n\n```{{eval-rst}}\n.. {kind}:: {target}\n```\n"


def _contents(title: str, summary: str, entries: Sequence[tuple[str, str]]) -> str:
    rows = "\n".join(f"| [{name}]({name}.md) | {text.replace('|', chr(92) + '|')} |" for name, text in entries)
    return _tree(title, f"{summary}\n\n| | |\n|---|---|\n{rows}", [name for name, _ in entries], hidden=True)


def _tree(title: str, text: str, pages: Sequence[str], *, hidden: bool = False) -> str:
    options = ":hidden:\n" if hidden else ":maxdepth: 1\n"
    return f"# {title}\n\n{text}\n\n```{{toctree}}\n{options}\n" + "\n".join(pages) + "\n```\n"


def _modules(package: str) -> list[str]:
    folder = Path(perdure.core.errors.__file__).parents[1] / package
    return [f"perdure.{package}.{path.stem}" for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")]


def _summary(registry: Registry, name: str) -> str:
    return next(entry.summary for entry in registry.entries() if entry.name == name)


def _first(cls: type) -> str:
    return (cls.__doc__ or "").split("\n", 1)[0]


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
