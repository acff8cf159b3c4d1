"""What importing costs: nothing heavy before it is used."""

import subprocess
import sys

import pytest

import perdure


def loaded_after(statement: str) -> str:
    code = f"{statement}; import sys; print(' '.join(m for m in ('torch', 'matplotlib', 'captum') if m in sys.modules))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("module", ["perdure", "perdure.cli.main"])
def test_import_is_light(module):
    assert loaded_after(f"import {module}") == ""


def test_the_library_needs_torch_only():
    assert loaded_after("import perdure; perdure.attribute, perdure.evaluate") == "torch"


def test_every_public_name_is_there_and_typed():
    for name in perdure.__all__:
        assert getattr(perdure, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        perdure.nothing  # noqa: B018
