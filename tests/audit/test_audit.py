import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from perdure.audit.audit import audit
from perdure.audit.candidate import Candidate, accuracy_number
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch
from perdure.core.errors import SettingError
from perdure.data.boxes import Boxes
from perdure.records.run import open_run


class LastStep(nn.Module):
    """Reads the last step only, whose sum tells the class."""

    def forward(self, x):
        total = x[:, -1].sum(1)
        return torch.stack([-total, total], dim=1)


class EveryStep(nn.Module):
    """Reads every step alike."""

    def forward(self, x):
        total = x.sum((1, 2))
        return torch.stack([-total, total], dim=1)


@pytest.fixture
def test_batch():
    return Boxes("middle", train=2, validation=2, test=40, size=20).load(0).test


def audited(models, batch, folder, **settings):
    run = open_run(folder, {"data": "boxes"})
    candidates = [Candidate(name, model) for name, model in models.items()]
    return audit(candidates, batch, ("down", "up"), AuditSettings(methods=("saliency",), **settings), run)


def test_verdicts_of_known_models(tmp_path, test_batch):
    late = replace(test_batch, inputs=test_batch.inputs + 2.0 * (2 * test_batch.label - 1)[:, None, None])
    record = audited({"last": LastStep(), "every": EveryStep()}, late, tmp_path)
    answers = {model["name"]: model["verdicts"][0]["answer"] for model in record["models"]}
    assert answers == {"last": "vanishes", "every": "reaches back"}
    numbers = {(s["model"], s["number"]["name"]): s["number"] for s in record["scores"]}
    assert numbers["last", "vanishing"]["value"] == pytest.approx(1.0)
    assert numbers["every", "vanishing"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert numbers["every", "roc"]["value"] == 0.5


def test_what_is_stored_is_what_is_returned(tmp_path, test_batch):
    record = audited({"every": EveryStep()}, test_batch, tmp_path, samples=10)
    assert json.loads((tmp_path / "audit.json").read_text()) == json.loads(json.dumps(record))
    with np.load(tmp_path / "audit.npz") as arrays:
        assert arrays["profile/every"].shape == (3, 20)
        assert arrays["profile/every"][0] == pytest.approx(np.full(20, 0.05))
        assert arrays["mean_truth"].sum() == test_batch.truth[0].sum()
    assert "10 test samples" in record["subtitle"]


def test_without_truth_occlusion_says_where_the_evidence_lies(tmp_path, test_batch):
    late = replace(test_batch, inputs=test_batch.inputs + 2.0 * (2 * test_batch.label - 1)[:, None, None], truth=None)
    record = audited({"last": LastStep()}, late, tmp_path)
    (verdict,) = record["models"][0]["verdicts"]
    assert verdict["answer"] == "reaches back"  # the model reads nothing but the end, and the map says so
    assert {score["method"] for score in record["scores"]} == {"saliency", "occlusion:window=1"}


def test_accuracy_stands_between_the_most_frequent_class_and_one():
    batch = Batch(torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]]), torch.tensor([0, 0, 1, 1]))
    number = accuracy_number(nn.Identity(), batch, 0)
    assert (number.value, number.null, number.ceiling) == (0.75, 0.5, 1.0)
    assert number.low < number.value < number.high


def test_settings_without_sense():
    with pytest.raises(SettingError, match="no attribution method"):
        AuditSettings(methods=())
    with pytest.raises(SettingError, match="0 samples"):
        AuditSettings(samples=0)
