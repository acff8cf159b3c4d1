"""Paths from search to record: stored, interrupted, resumed and reported."""

import json
import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from perdure.audit.path import PathReport
from perdure.core.errors import SettingError, UnknownNameError
from perdure.data.planted_events import PlantedEvents
from perdure.engine.pool import do
from perdure.landscape.barrier import measure_barrier
from perdure.landscape.curve import CurveSettings
from perdure.landscape.ends import load_ends
from perdure.landscape.path import connect_linearly
from perdure.landscape.route import load_path
from perdure.landscape.surface import ModelLoss
from perdure.landscape.tracking import ValleySettings
from perdure.models.attention import Attention
from perdure.ops.params import distance
from perdure.records.run import open_run
from perdure.stability.path_record import PathSettings
from perdure.stability.paths import PathBudget, find_paths
from perdure.training.checkpoint import save_checkpoint
from perdure.training.settings import CLEAN
from perdure.training.train import train

SPLITS = PlantedEvents(train=60, validation=20, test=24, shortest=6, longest=8, fillers=2).load(0)
SETTINGS = PathSettings(methods=("attention", "gradient"), points=4, samples=12, align=False)


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder, config = tmp_path_factory.mktemp("runs"), Attention(4, (4,))
    for seed in range(2):
        fitted = train(config, SPLITS, replace(CLEAN, epochs=4, learning_rate=0.03), seed)
        save_checkpoint(folder / f"seed-{seed}", fitted.model, config, SPLITS, {"seed": seed})
    return load_ends(folder / "seed-0", folder / "seed-1", SPLITS)


def make_quick(patch):
    """Learn curves in few steps, track in long ones, and measure barriers at few points."""
    patch.setattr("perdure.landscape.curve.CurveSettings", lambda: CurveSettings(steps=20))
    patch.setattr("perdure.landscape.route.ValleySettings", partial(ValleySettings, longest=0.2, least=0.02))
    patch.setattr("perdure.stability.path_record.BARRIER_POINTS", 9)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    make_quick(monkeypatch)


def lay_out(ends, folder, settings=SETTINGS, watch=None):
    return find_paths(ends, SPLITS, settings, open_run(folder, {"data": "planted_events"}), watch)


@pytest.fixture(scope="module")
def result(ends, tmp_path_factory):
    folder = tmp_path_factory.mktemp("path") / "run"
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch)
        return lay_out(ends, folder), folder


def test_the_record_and_its_arrays_are_what_was_agreed(result):
    record, folder = result
    stored = json.loads((folder / "path.json").read_text())
    assert stored.pop("digest_of_file").startswith("perdure-sha256:")
    assert stored == json.loads(json.dumps(record))
    assert [kind["kind"] for kind in record["kinds"]] == ["linear", "bezier", "valley"]
    assert record["ends"] == ["seed-0", "seed-1"]
    assert len(record["types"]) == SPLITS.features
    with np.load(folder / "path.npz") as arrays:
        shapes = {name: value.shape for name, value in arrays.items()}
        assert arrays["t/bezier"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
        assert (arrays["drift/bezier/gradient/Spearman"][-1] == arrays["drift/linear/gradient/Spearman"][-1]).all()
        assert arrays["drift/valley/attention/cosine"][0, 0] == pytest.approx(1.0)
    for kind in ("linear", "bezier", "valley"):
        assert shapes[f"loss/{kind}"] == shapes[f"accuracy/{kind}"] == shapes[f"f1/{kind}"] == (4,)
        assert shapes[f"drift/{kind}/attention/Jensen-Shannon"] == (4, 2)
        assert shapes[f"neighbour/{kind}/gradient/sign agreement"] == (4,)
        assert shapes[f"ari/{kind}/gradient"] == (4, 3)
        assert shapes[f"flow/{kind}/gradient"] == (4, 12)
        assert shapes[f"top/{kind}/attention"][0] == 4
        assert shapes[f"top/{kind}/attention"][1:] == shapes["top_types/attention"]


class Sent:
    """Does the pieces from the last to the first, in copies as another process would get them."""

    def run(self, work, pieces):
        for piece in reversed(pieces):
            yield do(pickle.loads(pickle.dumps(work)), piece)


def test_any_engine_finds_the_same(result, ends, tmp_path):
    heard = []
    again = lay_out(ends, tmp_path / "run", SETTINGS, PathBudget(report=heard.append, workers=Sent()))
    assert again["kinds"] == result[0]["kinds"]
    assert again["agreements"] == result[0]["agreements"]
    assert (tmp_path / "run/path.npz").read_bytes() == (result[1] / "path.npz").read_bytes()
    assert heard[-1] == "3 of 3 paths"


def test_a_kind_has_its_barrier_between_zero_and_that_of_the_straight_line(result, ends):
    record, folder = result
    straight, curve, valley = record["kinds"]
    surface = ModelLoss(ends.model, SPLITS.train)
    expected = measure_barrier(surface, connect_linearly(ends.first, ends.second), torch.Generator(), 9)
    assert straight["barrier"]["value"] == straight["barrier"]["null"] == pytest.approx(expected.height)
    assert straight["increase"] == pytest.approx(expected.increase)
    assert straight["length"] == pytest.approx(distance(ends.first, ends.second))
    assert straight["passes"] == 0.0
    assert curve["passes"] == pytest.approx(20 * 3 * 60 / 256)
    assert valley["ended"] == "reached the other end"
    assert valley["barrier"]["null"] == expected.height
    assert distance(load_path(folder / "paths/valley/path.safetensors").points[-1], ends.second) == 0


def test_a_second_call_lays_no_path_again_and_changes_nothing(result, ends, monkeypatch):
    record, folder = result

    def never(*_):
        raise AssertionError

    monkeypatch.setattr("perdure.stability.path_record.explain_along_path", never)
    monkeypatch.setattr(ModelLoss, "gradient", never)
    before = (folder / "path.json").read_bytes()
    lay_out(ends, folder)
    assert (folder / "path.json").read_bytes() == before
    assert record["answer"]


def test_an_interrupted_command_resumes_to_the_same_result(result, ends, tmp_path):
    heard = []

    def interrupts(line):
        heard.append(line)
        if line.startswith("valley: loss at most") and len(heard) > 1:
            raise KeyboardInterrupt

    settings = replace(SETTINGS, kinds=("bezier", "valley"), methods=("attention",))
    with pytest.raises(KeyboardInterrupt):
        lay_out(ends, tmp_path, settings, PathBudget(report=interrupts))
    assert not (tmp_path / "path.json").exists()
    assert any(line.startswith("bezier: 20 of ") for line in heard)
    record = lay_out(ends, tmp_path, settings)

    def without_time(rows):
        return [{name: value for name, value in kind.items() if name != "seconds"} for kind in rows]

    assert without_time(record["kinds"]) == without_time(result[0]["kinds"][1:])
    assert record["agreements"] == [
        row for row in result[0]["agreements"] if row["kind"] != "linear" and row["method"] == "attention"
    ]


def test_a_tracking_out_of_time_is_reported_and_resumes_with_more(ends, tmp_path):
    settings = replace(SETTINGS, kinds=("valley",), methods=("attention",))
    short = lay_out(ends, tmp_path, settings, PathBudget(seconds=0.0))["kinds"][0]
    assert short["ended"].startswith("out of time with 100% of the distance left")
    assert short["barrier"]["value"] == pytest.approx(short["barrier"]["null"])
    assert lay_out(ends, tmp_path, settings)["kinds"][0]["ended"] == "reached the other end"


def test_the_page_can_be_read_from_what_is_stored(result):
    record, folder = result
    with np.load(folder / "path.npz", allow_pickle=False) as arrays:
        picture = PathReport.from_dict(json.loads((folder / "path.json").read_text()), dict(arrays))
    assert picture.ends == ("seed-0", "seed-1")
    assert list(picture.views["bezier", "attention"].drift) == [
        row["number"]["name"] for row in record["agreements"] if (row["kind"], row["method"]) == ("bezier", "attention")
    ]
    assert all(name in record["types"] for name in picture.top_types["gradient"])
    assert record["answer"].startswith("The lowest path, ")


def test_settings_that_cannot_be_used():
    for wrong in ({"kinds": ("tunnel",)}, {"kinds": ()}, {"allowed": -1.0}, {"points": 1}, {"methods": ("a", "a")}):
        with pytest.raises(SettingError):
            PathSettings(**wrong)
    with pytest.raises(SettingError, match="published tracking needs"):
        PathSettings(kinds=("published",))


def test_a_method_that_does_not_exist_is_found_out_before_a_path_is_laid(ends, tmp_path):
    with pytest.raises(UnknownNameError):
        lay_out(ends, tmp_path, replace(SETTINGS, methods=("gradients",)))
    assert not (tmp_path / "paths").exists()
