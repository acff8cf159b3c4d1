import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from perdure.audit.audit import audit, run_audit
from perdure.audit.result import Audit
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import RunFolderError, SettingError, UnknownNameError, UnsupportedError
from perdure.core.spec import strip_settings
from perdure.data._splits import Splits
from perdure.data.boxes import Boxes
from perdure.data.planted_text import PlantedText
from perdure.data.shapes import Shapes
from perdure.models.deep_lstm import DeepLSTM
from perdure.models.small_cnn import SmallCNN
from perdure.records.record import read_record
from perdure.records.run import open_run
from perdure.report.pages.write import write_page
from perdure.stability.members import TrainedModel, estimate_accuracy


class Scaled(nn.Module):
    """Has one weight, which can be forgotten."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def logits(self, total):
        return torch.stack([-total, total], dim=1) * self.weight


class LastStep(Scaled):
    """Reads the last step only, whose sum determines the class."""

    def forward(self, x):
        return self.logits(x[:, -1].sum(1))


class EveryStep(Scaled):
    """Reads every step alike."""

    def forward(self, x):
        return self.logits(x.sum((1, 2)))


@pytest.fixture
def test_batch():
    return Boxes("middle", train=2, validation=2, test=40, size=20).load(0).test


QUICK = AuditSettings(samples=8, faithfulness_samples=4)


def compute_audit(models, batch, folder=None, **settings):
    splits = Splits(batch, batch, batch, ("down", "up"))
    chosen = AuditSettings(**{"methods": ("saliency",), "faithfulness_samples": 8, **settings})
    return audit(models, splits, settings=chosen, folder=folder)


def add_late_evidence(batch, **fields):
    return replace(batch, inputs=batch.inputs + 2.0 * (2 * batch.label - 1)[:, None, None], **fields)


def test_verdicts_of_known_models(test_batch):
    result = compute_audit({"last": LastStep(), "every": EveryStep()}, add_late_evidence(test_batch))
    answers = {model.name: model.methods[0].verdicts.over_time.answer for model in result.models}
    assert answers == {"last": "vanishes", "every": "reaches back"}
    numbers = {(m.name, score.name): score for m in result.models for score in m.methods[0].scores}
    similarity = numbers["every", "parameter_randomisation:similarity=spearman,granularity=element,stages=1"]
    assert similarity.value == 1.0  # one weight has one saliency
    assert numbers["last", "vanishing"].value == pytest.approx(1.0)
    assert numbers["every", "vanishing"].value == pytest.approx(0.0, abs=1e-6)
    assert numbers["every", "auroc"].value == 0.5


def test_the_stored_record_is_the_result(tmp_path, test_batch):
    result = compute_audit({"every": EveryStep()}, test_batch, tmp_path, samples=10)
    stored, _ = read_record(tmp_path, "audit")
    assert stored == json.loads(json.dumps(result.to_dict()))
    with np.load(tmp_path / "audit.npz") as arrays:
        assert arrays["profile/every"].shape == (3, 20)
        assert arrays["profile/every"][0] == pytest.approx(np.full(20, 0.05))
        assert arrays["mean_truth"].sum() == test_batch.truth[0].sum()
        assert Audit.from_dict(stored, dict(arrays)).to_dict() == stored
    assert result.subtitle == "own data · saliency · 10 test samples · 20 steps of 20 features"
    assert (tmp_path / "report.html").read_text() == result.html


def test_the_same_call_resumes_and_another_model_is_named(tmp_path, test_batch):
    first = compute_audit({"every": EveryStep()}, test_batch, tmp_path, samples=10)
    part = next(tmp_path.glob("maps/every/saliency/part-*.parquet"))
    before = part.stat().st_mtime_ns
    assert compute_audit({"every": EveryStep()}, test_batch, tmp_path, samples=10).to_dict() == first.to_dict()
    assert part.stat().st_mtime_ns == before
    with pytest.raises(RunFolderError, match=r"models.every is 'EveryStep \w+' there and 'LastStep"):
        compute_audit({"every": LastStep()}, test_batch, tmp_path, samples=10)
    with pytest.raises(RunFolderError, match="the digest of the data"):
        compute_audit({"every": EveryStep()}, replace(test_batch, inputs=-test_batch.inputs), tmp_path, samples=10)


def test_without_a_folder_nothing_is_left_behind_until_it_is_saved(tmp_path, monkeypatch, test_batch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = compute_audit(EveryStep(), test_batch, samples=4)
    assert list(tmp_path.iterdir()) == []
    page = result.save(tmp_path / "kept")
    written = ["audit.json", "audit.npz", "badge.svg", "report.html", "times.json"]
    assert sorted(path.name for path in page.parent.iterdir()) == written
    html = page.read_text()
    assert write_page(page.parent).read_text() == html  # with the seconds
    (method,) = result.to_timed_dict()["models"][0]["methods"]
    assert method["seconds"] > 0
    assert result._repr_html_().startswith("<iframe")
    assert repr(result) == f"Audit({result.answer!r})"
    assert result.models[0].name == "EveryStep"


def test_the_recommended_method_shows_what_the_prediction_needs(test_batch):
    """Input x gradient of a linear model is exact; the inputs have one size, which no map can show instead."""
    settings = {"methods": ("input_x_gradient",), "samples": 16, "faithfulness_samples": 16}
    model = nn.Sequential(nn.Flatten(), nn.Linear(400, 2, bias=False))
    weight = torch.linspace(-0.1, 0.1, 400)
    model[1].weight.data = torch.stack([-weight, weight])
    inputs = test_batch.inputs.sign()
    batch = replace(test_batch, inputs=inputs, label=model(inputs).argmax(1), truth=None)
    (audited,) = compute_audit(model, batch, **settings).models
    assert audited.methods[0].verdicts.down_to_input.answer == "yes"
    assert audited.recommended == "input_x_gradient"
    assert [method.name for method in audited.methods] == ["input_x_gradient"]
    assert audited.methods[0].passes == 2 * 16
    assert audited.methods[0].seconds > 0
    (blind,) = compute_audit(EveryStep(), test_batch, samples=8).models
    assert blind.recommended is None


def test_a_panel_that_suits_model_and_data_is_tested_where_no_method_is_named(test_batch):
    result = audit(EveryStep(), Splits(test_batch, test_batch, test_batch, ("down", "up")), settings=QUICK)
    (model,) = result.models
    names = [strip_settings(method.name) for method in model.methods]
    gradients = ["saliency", "input_x_gradient", "integrated_gradients"]
    assert names == [*gradients, "occlusion", "shapley_sampling", "input_iba", "random"]  # without attention
    assert all(len(list(method.verdicts)) == 3 and method.passes is not None for method in model.methods)
    assert model.recommended != "random"
    assert {f"map/EveryStep/{method.name}" for method in model.methods} <= set(result.arrays)
    assert "Only 4 samples are tested" in result.notes[0]


def test_a_method_that_fails_leaves_the_others_and_names_its_reason(test_batch, tmp_path):
    result = compute_audit(EveryStep(), test_batch, tmp_path, methods=("grad_cam", "saliency"), samples=4)
    failed, works = result.models[0].methods
    assert "no convolution" in failed.failure
    assert list(failed.verdicts) == []
    assert len(list(works.verdicts)) == 3
    assert "no convolution" in result.html
    assert compute_audit(EveryStep(), test_batch, tmp_path, methods=("grad_cam", "saliency"), samples=4).html
    with pytest.raises(UnsupportedError, match="no convolution"):
        compute_audit(EveryStep(), test_batch, methods=("grad_cam",), samples=4)
    with pytest.raises(UnknownNameError, match="saliensy"):
        compute_audit(EveryStep(), test_batch, methods=("saliency", "saliensy"), samples=4)


class RaisesOnZeros(EveryStep):
    """Raises on rows of zeros, as occlusion makes them."""

    def forward(self, x):
        if (x == 0).all(-1).any():
            raise ValueError("the step is empty")
        return super().forward(x)


def test_an_error_of_the_model_in_one_method_is_the_reason_in_its_row(test_batch):
    with pytest.raises(UnsupportedError, match="the step is empty"):
        compute_audit(RaisesOnZeros(), replace(test_batch, truth=None), methods=("occlusion",), samples=4)


def test_samples_that_limit_the_verdicts_are_named(test_batch):
    single = slice_batch(test_batch, (test_batch.label == 1).nonzero()[:, 0].tolist())
    result = compute_audit(EveryStep(), single, samples=4)
    assert [note.partition(":")[0] for note in result.notes] == [
        "Only 4 samples are tested",
        "All 4 explained samples are of one class",
    ]
    verdict = result.models[0].methods[0].verdicts.down_to_input
    assert (verdict.answer, "one class" in verdict.sentence) == ("not learned", True)
    wrong = replace(add_late_evidence(test_batch), label=1 - test_batch.label)
    result = compute_audit({"last": LastStep()}, wrong, samples=12, faithfulness_samples=12)
    (note,) = result.notes
    assert note == "last predicts none of the 12 explained samples right: the maps explain wrong predictions."
    assert "worse than always naming" in result.models[0].methods[0].verdicts.down_to_input.sentence
    assert all(note in result.html for note in result.notes)


def test_whether_a_model_has_learned_its_task_does_not_depend_on_the_method(test_batch):
    guessed = torch.where(torch.arange(40) % 4 < 2, test_batch.label, 1 - test_batch.label)
    result = compute_audit({"every": EveryStep()}, replace(test_batch, label=guessed), samples=10)
    assert result.answer == "every has not learned the task."


def test_without_truth_occlusion_locates_the_evidence(test_batch):
    result = compute_audit({"last": LastStep()}, add_late_evidence(test_batch, truth=None))
    verdicts = result.models[0].methods[0].verdicts
    assert verdicts.across_runs.answer == "not tested"
    assert "perdure.reproduce" in verdicts.across_runs.sentence
    assert verdicts.over_time.sentence.startswith("Explained by ")
    assert verdicts.over_time.answer == "reaches back"  # the model reads nothing but the end, as the map shows
    assert [method.name for method in result.models[0].methods] == ["saliency"]  # the locator is not tested


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
def test_images_and_texts_are_evaluated_by_pixel_and_word(data, config, method, shape, verdicts, tmp_path):
    """Only data with an order in time has a verdict over time."""
    splits = data.load(0)
    model = config.build(splits.features, len(splits.classes), torch.Generator().manual_seed(0)).eval()
    run, settings = open_run(tmp_path, {"data": "some"}), AuditSettings((method,), faithfulness_samples=4)
    result = run_audit([TrainedModel("net", model)], splits, settings, run)
    assert len(result.models[0].verdicts) == verdicts
    assert result.models[0].methods[0].verdicts.down_to_input is not None
    assert (result.models[0].methods[0].verdicts.over_time is None) == (verdicts == 2)
    with np.load(tmp_path / "audit.npz") as arrays:
        assert arrays["map/net"].shape == shape
        assert arrays["truth"].shape == shape
    assert len(result.texts) == (6 if verdicts == 3 else 0)
    assert run_audit([TrainedModel("net", model)], splits, settings, run).to_dict() == result.to_dict()


def test_images_without_a_truth_have_no_metric_of_all_samples():
    splits = Shapes(train=20, validation=4, test=6).load(0)
    splits = replace(splits, test=replace(splits.test, truth=None))
    model = SmallCNN(width=4).build(3, len(splits.classes), torch.Generator().manual_seed(0)).eval()
    result = audit({"net": model}, splits, settings=AuditSettings(("grad_cam",), faithfulness_samples=2))
    assert [score.name for score in result.models[0].methods[0].scores] == [
        "insertion:points=16,granularity=position",
        "deletion:points=16,granularity=position",
        "sensitivity_n:masks=24,points=2,granularity=position",
        "parameter_randomisation:similarity=spearman,stages=1",
    ]


def test_a_metric_next_to_the_usual_one_has_its_own_row(test_batch):
    result = compute_audit({"every": EveryStep()}, test_batch, samples=8, metrics=("insertion:points=4",))
    names = [score.name for score in result.models[0].methods[0].scores]
    assert "insertion:points=4" in names
    assert len(set(names)) == len(names)


def test_unusable_models_and_splits_are_named(test_batch):
    splits = Splits(test_batch, test_batch, test_batch, ("down", "up"))
    with pytest.raises(SettingError, match=r"the models are dict.*\{name: model\}"):
        audit({}, splits)
    with pytest.raises(SettingError, match=r"the model 'a' is str.*perdure\.load"):
        audit({"a": "runs/seed-0"}, splits)
    with pytest.raises(SettingError, match="the same folder"):
        audit({"a b": EveryStep(), "a-b": EveryStep()}, splits)
    with pytest.raises(SettingError, match=r"the splits are Batch.*perdure.data.Splits"):
        audit(EveryStep(), test_batch)
    with pytest.raises(SettingError, match=r"cannot be trained again.*perdure\.reproduce"):
        audit(EveryStep(), splits, settings=AuditSettings(runs=3))


def test_accuracy_lies_between_the_most_frequent_class_and_one():
    batch = Batch(torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]]), torch.tensor([0, 0, 1, 1]))
    number = estimate_accuracy(nn.Identity(), batch, 0)
    assert (number.value, number.null, number.ceiling) == (0.75, 0.5, 1.0)
    assert number.low < number.value < number.high


def test_settings_without_sense():
    with pytest.raises(SettingError, match="runs=1"):
        AuditSettings(runs=1)
    with pytest.raises(SettingError, match="no attribution method"):
        AuditSettings(methods=())
    with pytest.raises(SettingError, match="0 samples"):
        AuditSettings(samples=0)
    with pytest.raises(SettingError, match=r"pass a tuple: \('saliency',\)"):
        AuditSettings(methods="saliency")
