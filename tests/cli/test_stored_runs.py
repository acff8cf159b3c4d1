"""Run folders that version 0.1 wrote stay readable."""

import json
import shutil
from pathlib import Path

import pytest

from perdure.report.numbers import format_number
from tests.cli.shell import run

STORED = Path(__file__).parent / "version_0_1"


@pytest.mark.parametrize("kind", ["audit", "reproduce"])
def test_the_page_of_a_run_folder_of_version_0_1_is_rendered_again(kind, tmp_path):
    folder = shutil.copytree(STORED / kind, tmp_path / kind)
    run("report", folder)
    record, page = json.loads((folder / f"{kind}.json").read_text()), (folder / "report.html").read_text()
    numbers = [entry["number"] for entry in record["scores" if kind == "audit" else "agreements"]]
    for number in numbers:
        size = max(abs(number[end]) for end in ("value", "low", "high"))
        assert f"{format_number(number['low'], size=size)} to {format_number(number['high'], size=size)}" in page
