"""What importing costs: nothing heavy before it is used."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import perdure

ROOT = Path(__file__).parents[1]


def loaded_after(*statements: str) -> list[str]:
    """Run statements in one new process, and print after each what has been imported of what is heavy."""
    report = "print(*(m for m in ('torch', 'matplotlib', 'captum') if m in sys.modules))"
    code = "\n".join(["import sys", *(line for item in statements for line in (item, report))])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")


def test_imports_are_light_and_the_library_needs_torch_only():
    loaded = loaded_after("import perdure", "import perdure.cli.main", "perdure.attribute, perdure.evaluate")
    assert loaded == ["", "", "torch", ""]


def test_every_public_name_is_there_and_typed():
    registries = {"DATASETS": "boxes", "METHODS": "gradient", "METRICS": "vanishing", "MODELS": "small_cnn"}
    for name in perdure.__all__:
        value = getattr(perdure, name)
        if name in registries:
            assert registries[name] in value.names()
        else:
            assert value.__name__ in (name, f"perdure.{name}")
    assert perdure.__version__ == version("perdure")
    with pytest.raises(AttributeError, match="attribute nothing"):
        perdure.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("namespace", "registry"),
    [("methods", "METHODS"), ("metrics", "METRICS"), ("data", "DATASETS"), ("models", "MODELS")],
)
def test_every_registered_class_is_in_its_namespace(namespace, registry):
    registry, classes = getattr(perdure, registry), getattr(perdure, namespace)
    for name in registry.names():
        cls = registry.load(name)
        assert getattr(classes, cls.__name__) is cls


def test_misspelt_names_do_not_pass_the_type_checker(tmp_path):
    (tmp_path / "user.py").write_text("import perdure\nperdure.attribute\nperdure.atribute\nperdure.methods.InputIBA\n")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-incremental", "--follow-imports=silent", tmp_path / "user.py"],
        capture_output=True, text=True, check=False, env={**os.environ, "MYPYPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert [line for line in checked.stdout.splitlines() if "error" in line and "atribute" in line]
    assert "Found 1 error" in checked.stdout


def test_functions_with_the_name_of_a_package_stay_functions_and_are_typed(tmp_path):
    """`perdure.audit` is a package and a function; its modules may be imported before or after the first use."""
    code = "import perdure\nimport perdure.audit.settings\nimport perdure.audit.path\nprint(callable(perdure.audit))\n"
    ran = subprocess.run([sys.executable, "-c", f"{code}print(callable(perdure.path))"], capture_output=True, text=True)
    assert ran.stdout.split() == ["True", "True"]
    user = """import torch, perdure
def use(model: torch.nn.Module, splits: perdure.data.Splits) -> str | None:
    result = perdure.audit({"a": model}, splits, settings=perdure.AuditSettings(samples=3))
    perdure.reproduce([model, model], splits).verdict.answer.upper()
    perdure.path(model, model, splits).kinds[0].barrier.value + 1.0
    result.models[0].methods[0].verdicts.over_tiem
    return result.models[0].recommended
"""
    (tmp_path / "user.py").write_text(user)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports=silent", tmp_path / "user.py"],
        capture_output=True, text=True, check=False, env={**os.environ, "MYPYPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert 'user.py:6: error: "Verdicts" has no attribute "over_tiem"' in checked.stdout
    assert "Found 1 error" in checked.stdout


def test_completion_offers_what_is_public_once_and_nothing_else():
    perdure.Logit, perdure.attribute  # noqa: B018  # what was used is in the module as well
    assert [name for name in dir(perdure) if not name.startswith("_")] == sorted(perdure.__all__)
