"""The examples run, and the one in the README is the one that runs."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ten_lines(capsys):
    runpy.run_path(str(ROOT / "examples/ten_lines.py"), run_name="__main__")
    score, null, ceiling = map(float, re.findall(r"\d\.\d+", capsys.readouterr().out))
    assert null < score <= ceiling == 1.0


def test_the_readme_shows_the_example_that_runs():
    readme = (ROOT / "README.md").read_text()
    code = (ROOT / "examples/ten_lines.py").read_text().split('"""\n\n', 1)[1]
    assert f"```python\n{code}```" in readme


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text()
    for command in ("audit", "reproduce", "path", "train", "explain", "evaluate", "report", "study", "list", "cite"):
        assert f"| `perdure {command}" in readme
