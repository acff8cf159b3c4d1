import json
import sys

import pytest

from perdure.cli.inputs import make_engine
from perdure.core.errors import SettingError
from perdure.engine.pool import InProcess, Processes
from perdure.engine.ray import Ray
from perdure.records.attributions import read_attributions
from perdure.records.place import place
from perdure.records.run import read_run
from tests.cli.shell import run

DATA = "boxes:train=20,validation=10,test=20"
MODEL = ("lstm:hidden_size=4", DATA, "--train-settings", "epochs=1")


def test_the_engine_is_the_chosen_one():
    assert make_engine("local", 1, None) == InProcess()
    assert make_engine("local", 3, None) == Processes(3)
    assert make_engine("ray", 1, "auto") == Ray(1, "auto")
    for wrong in (("rocket", 1, None), ("local", 0, None), ("local", 2, "auto")):
        with pytest.raises(SettingError):
            make_engine(*wrong)


def test_a_run_in_a_store_has_the_bytes_of_a_local_one(tmp_path):
    folders = (f"memory://{tmp_path.name}/run", str(tmp_path / "run"))
    for folder in folders:
        result = json.loads(run("explain", *MODEL, "--out", folder, "--json"))
        assert result["maps"] == f"{folder}/maps"
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


def test_the_device_is_kept_with_the_run_and_its_maps(tmp_path):
    run("explain", *MODEL, "--device", "cpu", "--out", tmp_path / "run")
    assert read_run(tmp_path / "run").config["device"] == "cpu"
    (maps,) = read_attributions(tmp_path / "run" / "maps")
    assert maps.attribution.provenance.device == "cpu"
    run("evaluate", tmp_path / "run", "--device", "cpu")


@pytest.mark.parametrize("command", ["audit", "train", "explain", "evaluate", "reproduce", "path"])
def test_a_device_that_is_not_there_is_named_before_anything_is_read(command, tmp_path):
    arguments = {"evaluate": ("nowhere",), "path": ("nowhere", "elsewhere")}.get(command, ("no_model", "no_data"))
    assert "no device 'cuda:99' here, but cpu" in run(command, *arguments, "--device", "cuda:99", code=3)
