import json
import sys

import pytest

from perdure.cli.engine import chosen_engine
from perdure.core.errors import SettingError
from perdure.engine.local import InProcess, Processes
from perdure.engine.ray import Ray
from perdure.records.place import place
from tests.cli.shell import run

DATA = "boxes:train=20,validation=10,test=20"
MODEL = ("lstm:hidden_size=4", DATA, "--changes", "epochs=1")


def test_the_engine_that_is_asked_for():
    assert chosen_engine("local", 1, None) == InProcess()
    assert chosen_engine("local", 3, None) == Processes(3)
    assert chosen_engine("ray", 1, "auto") == Ray(1, "auto")
    for wrong in (("rocket", 1, None), ("local", 0, None), ("local", 2, "auto")):
        with pytest.raises(SettingError):
            chosen_engine(*wrong)


def test_a_run_in_a_store_has_the_bytes_of_a_local_one(tmp_path):
    folders = (f"memory://{tmp_path.name}/run", str(tmp_path / "run"))
    for folder in folders:
        found = json.loads(run("explain", *MODEL, "--out", folder, "--json"))
        assert found["maps"] == f"{folder}/maps"
        run("evaluate", folder)
    stores = [place(folder) for folder in folders]
    for name in ("maps/part-00000.parquet", "scores/vanishing/part-00000.parquet"):
        assert (stores[0] / name).read_bytes() == (stores[1] / name).read_bytes()


def test_ray_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "perdure[ray]" in run("explain", *MODEL, "--out", tmp_path, "--engine", "ray", code=5)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot write" in run("explain", *MODEL, "--out", tmp_path / "file" / "run", code=4)
