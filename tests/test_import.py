"""What importing costs: nothing heavy before it is used."""

import subprocess
import sys
from importlib.metadata import version

import pytest

import perdure


def loaded_after(*statements: str) -> list[str]:
    """Run statements in one new process, and tell after each what has been imported of what is heavy."""
    tell = "print(*(m for m in ('torch', 'matplotlib', 'captum') if m in sys.modules))"
    code = "\n".join(["import sys", *(line for one in statements for line in (one, tell))])
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")


def test_imports_are_light_and_the_library_needs_torch_only():
    loaded = loaded_after("import perdure", "import perdure.cli.main", "perdure.attribute, perdure.evaluate")
    assert loaded == ["", "", "torch", ""]


def test_every_public_name_is_there_and_typed():
    registries = {"DATASETS": "boxes", "METHODS": "gradient", "METRICS": "vanishing", "MODELS": "small_cnn"}
    for name in perdure.__all__:
        if name in registries:
            assert registries[name] in getattr(perdure, name).names()
        else:
            assert getattr(perdure, name).__name__ == name
    assert perdure.__version__ == version("perdure")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        perdure.nothing  # noqa: B018


def test_completion_offers_what_is_public_once_and_nothing_else():
    perdure.Logit, perdure.attribute  # noqa: B018  # what was used stands in the module as well
    assert [name for name in dir(perdure) if not name.startswith("_")] == sorted(perdure.__all__)
