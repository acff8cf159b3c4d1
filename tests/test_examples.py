"""The examples run, and the one in the README is the one that runs."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_ten_lines_print_what_the_readme_shows(capsys):
    runpy.run_path(str(ROOT / "examples/ten_lines.py"), run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    shown = re.search(r"```text\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1].splitlines()
    for line, expected in zip(printed, shown, strict=True):
        assert re.sub(r"[\d.]+", "#", line) == re.sub(r"[\d.]+", "#", expected)
        score, null, ceiling = map(float, re.findall(r"\d\.\d+", line))
        assert null < score <= ceiling == 1.0
        assert [score, null, ceiling] == pytest.approx([float(n) for n in re.findall(r"\d\.\d+", expected)], abs=0.1)


def test_the_readme_shows_the_example_that_runs():
    readme = (ROOT / "README.md").read_text()
    code = (ROOT / "examples/ten_lines.py").read_text().split('"""\n\n', 1)[1]
    assert f"```python\n{code}```" in readme


def test_every_command_is_in_the_documentation():
    page = (ROOT / "docs/commands.md").read_text()
    commands = (
        "audit",
        "reproduce",
        "path",
        "train",
        "explain",
        "evaluate",
        "report",
        "status",
        "study",
        "list",
        "cite",
    )
    for command in commands:
        assert f"| `perdure {command}" in page
