import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from perdure.audit.audit import audit
from perdure.audit.settings import AuditSettings
from perdure.audit.verdicts import plainly
from perdure.core.batch import Batch
from perdure.core.errors import SettingError
from perdure.core.estimate import Verdict
from perdure.data._splits import Splits
from perdure.data.boxes import Boxes
from perdure.data.planted_text import PlantedText
from perdure.data.shapes import Shapes
from perdure.models.deep_lstm import DeepLSTM
from perdure.models.small_cnn import SmallCNN
from perdure.records.run import open_run
from perdure.stability.members import TrainedModel, estimate_accuracy


class Scaled(nn.Module):
    """Has one weight, which can be forgotten."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def logits(self, total):
        return torch.stack([-total, total], dim=1) * self.weight


class LastStep(Scaled):
    """Reads the last step only, whose sum tells the class."""

    def forward(self, x):
        return self.logits(x[:, -1].sum(1))


class EveryStep(Scaled):
    """Reads every step alike."""

    def forward(self, x):
        return self.logits(x.sum((1, 2)))


@pytest.fixture
def test_batch():
    return Boxes("middle", train=2, validation=2, test=40, size=20).load(0).test


def audited(models, batch, folder, **settings):
    run = open_run(folder, {"data": "boxes"})
    candidates = [TrainedModel(name, model) for name, model in models.items()]
    splits = Splits(batch, batch, batch, ("down", "up"))
    return audit(
        candidates, splits, AuditSettings(**{"methods": ("saliency",), "faithfulness_samples": 8, **settings}), run
    )


def test_verdicts_of_known_models(tmp_path, test_batch):
    late = replace(test_batch, inputs=test_batch.inputs + 2.0 * (2 * test_batch.label - 1)[:, None, None])
    record = audited({"last": LastStep(), "every": EveryStep()}, late, tmp_path)
    answers = {model["name"]: model["verdicts"][0]["answer"] for model in record["models"]}
    assert answers == {"last": "vanishes", "every": "reaches back"}
    numbers = {(s["model"], s["number"]["name"]): s["number"] for s in record["scores"]}
    similarity = numbers["every", "parameter_randomisation:granularity=element,stages=3"]
    assert similarity["value"] == 1.0  # one weight has one saliency
    assert numbers["last", "vanishing"]["value"] == pytest.approx(1.0)
    assert numbers["every", "vanishing"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert numbers["every", "auroc"]["value"] == 0.5


def test_what_is_stored_is_what_is_returned(tmp_path, test_batch):
    record = audited({"every": EveryStep()}, test_batch, tmp_path, samples=10)
    assert json.loads((tmp_path / "audit.json").read_text()) == json.loads(json.dumps(record))
    with np.load(tmp_path / "audit.npz") as arrays:
        assert arrays["profile/every"].shape == (3, 20)
        assert arrays["profile/every"][0] == pytest.approx(np.full(20, 0.05))
        assert arrays["mean_truth"].sum() == test_batch.truth[0].sum()
    assert record["subtitle"].endswith("10 test samples · 20 steps of 20 features")


def test_whether_a_model_has_learned_its_task_does_not_depend_on_the_method(tmp_path, test_batch):
    guessed = torch.where(torch.arange(40) % 4 < 2, test_batch.label, 1 - test_batch.label)
    record = audited({"every": EveryStep()}, replace(test_batch, label=guessed), tmp_path, samples=10)
    assert record["answer"] == "every has not learned the task."


def test_without_truth_occlusion_says_where_the_evidence_lies(tmp_path, test_batch):
    late = replace(test_batch, inputs=test_batch.inputs + 2.0 * (2 * test_batch.label - 1)[:, None, None], truth=None)
    record = audited({"last": LastStep()}, late, tmp_path)
    verdict, _, across = record["models"][0]["verdicts"]
    assert across["answer"] == "not asked"
    assert verdict["sentence"].startswith("Explained by ")
    assert verdict["answer"] == "reaches back"  # the model reads nothing but the end, and the map says so
    assert {score["method"] for score in record["scores"]} == {"saliency", "occlusion:window=1"}


@pytest.mark.parametrize(
    ("data", "config", "method", "shape", "verdicts"),
    [
        (Shapes(train=20, validation=4, test=9), SmallCNN(width=4), "grad_cam", (6, 32, 32), 2),
        (
            PlantedText(train=20, validation=4, test=9),
            DeepLSTM(3, 4, 2),
            "input_x_gradient",
            (6, PlantedText().longest),
            3,
        ),
    ],
    ids=["images", "texts"],
)
def test_images_and_texts_are_judged_by_pixel_and_word(data, config, method, shape, verdicts, tmp_path):
    """Only data with an order in time is asked whether the explanation reaches back."""
    splits = data.load(0)
    model = config.build(splits.features, len(splits.classes), torch.Generator().manual_seed(0)).eval()
    run = open_run(tmp_path, {"data": "some"})
    record = audit([TrainedModel("net", model)], splits, AuditSettings((method,), faithfulness_samples=4), run)
    assert len(record["models"][0]["verdicts"]) == verdicts
    assert record["models"][0]["verdicts"][-2]["question"].endswith("down to the input?")
    with np.load(tmp_path / "audit.npz") as arrays:
        assert arrays["map/net"].shape == shape
        assert arrays["truth"].shape == shape
    assert len(record["texts"]) == (6 if verdicts == 3 else 0)
    again = audit([TrainedModel("net", model)], splits, AuditSettings((method,), faithfulness_samples=4), run)
    assert again == record


def test_pictures_without_a_truth_have_no_metric_of_all_samples(tmp_path):
    splits = Shapes(train=20, validation=4, test=6).load(0)
    splits = replace(splits, test=replace(splits.test, truth=None))
    model = SmallCNN(width=4).build(3, len(splits.classes), torch.Generator().manual_seed(0)).eval()
    settings, run = AuditSettings(("grad_cam",), faithfulness_samples=2), open_run(tmp_path, {"data": "some"})
    record = audit([TrainedModel("net", model)], splits, settings, run)
    assert [one["number"]["name"] for one in record["scores"]] == [
        "insertion:points=16,granularity=position",
        "deletion:points=16,granularity=position",
        "sensitivity_n:masks=24,points=2,granularity=position",
        "parameter_randomisation:stages=3",
    ]


def test_a_metric_asked_for_beside_the_usual_one_has_a_row_of_its_own(tmp_path, test_batch):
    record = audited({"every": EveryStep()}, test_batch, tmp_path, samples=8, metrics=("insertion:points=4",))
    names = [row["number"]["name"] for row in record["scores"]]
    assert "insertion:points=4" in names
    assert len(set(names)) == len(names)


def test_accuracy_stands_between_the_most_frequent_class_and_one():
    batch = Batch(torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]]), torch.tensor([0, 0, 1, 1]))
    number = estimate_accuracy(nn.Identity(), batch, 0)
    assert (number.value, number.null, number.ceiling) == (0.75, 0.5, 1.0)
    assert number.low < number.value < number.high


def said(*answers):
    return plainly([Verdict("?", answer, "none", ".") for answer in answers])


def test_verdicts_in_one_sentence():
    assert said("not learned", "not learned", "not learned") == "has not learned the task"
    assert said("yes", "not asked") == "the map shows what the prediction needs"
    assert said("fades", "yes", "not asked") == "the explanation fades, and the map shows what the prediction needs"
    three = said("fades", "yes", "no")
    assert three.startswith("the explanation fades, the map shows what the prediction needs, and another training")


def test_settings_without_sense():
    with pytest.raises(SettingError, match="runs=1"):
        AuditSettings(runs=1)
    with pytest.raises(SettingError, match="no attribution method"):
        AuditSettings(methods=())
    with pytest.raises(SettingError, match="0 samples"):
        AuditSettings(samples=0)
