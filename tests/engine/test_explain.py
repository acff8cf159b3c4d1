import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.gradient import Gradient
from perdure.attribution.input_iba import InputIBA
from perdure.attribution.input_x_gradient import InputXGradient
from perdure.attribution.random import Random
from perdure.attribution.saliency import Saliency
from perdure.attribution.smooth_grad import SmoothGrad
from perdure.core.batch import Batch, slice_batch
from perdure.core.errors import NonFiniteError, PartError
from perdure.data.planted_text import PlantedText
from perdure.engine.evaluate import EvaluateJob, default_metrics, evaluate_maps
from perdure.engine.explain import SEEN, ExplainJob, explain, fit_method
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.metrics.auroc import AUROC
from perdure.metrics.vanishing import Vanishing
from perdure.models._embed import embed_batch
from perdure.models.deep_lstm import DeepLSTM
from perdure.models.factory import Factory
from perdure.records.attributions import read_attributions
from perdure.records.scores import Case
from tests.models.own import GOOD

CASE = Case("test", "boxes", "sum", "saliency", 0)


class Sum(nn.Module):
    """The sum of all inputs for class 1, its negative for class 0."""

    def forward(self, x):
        total = x.sum((1, 2))
        return torch.stack([-total, total], 1)


@pytest.fixture
def batch(generator):
    x = torch.randn(10, 4, 2, generator=generator)
    truth = torch.zeros(10, 4, 2, dtype=torch.bool)
    truth[:, :2] = True
    return Batch(x, torch.arange(10) % 2, truth=truth)


def work(batch, folder, method=None, **changes):
    return ExplainJob(Sum(), batch, method or Random(), folder, "sum", shard=4, **changes)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_shard_is_a_part_in_the_order_of_the_batch(batch, tmp_path):
    seen = []
    explain(work(batch, tmp_path, Saliency()), progress=lambda done, total: seen.append((done, total)))
    parts = read_attributions(tmp_path)
    assert [len(part.id) for part in parts] == [4, 4, 2]
    assert sum((part.id for part in parts), ()) == batch.id
    assert all((part.attribution.values == 1).all() for part in parts)
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_what_is_lost_is_made_again_and_nothing_else(batch, tmp_path):
    explain(work(batch, tmp_path))
    before = contents(tmp_path)
    (tmp_path / "part-00001.parquet").unlink()
    (tmp_path / "part-00002.parquet").write_bytes(before["part-00002.parquet"][:100])
    with pytest.warns(UserWarning, match=r"part-00002.parquet is damaged"):
        explain(work(batch, tmp_path))
    assert contents(tmp_path) == before


def test_finished_parts_survive_a_failure(batch, tmp_path):
    broken = torch.cat([batch.inputs[:8], torch.full((2, 4, 2), torch.nan)])
    with pytest.raises(NonFiniteError):
        explain(work(Batch(broken, batch.label), tmp_path))
    assert sorted(contents(tmp_path)) == ["part-00000.parquet", "part-00001.parquet"]


def test_the_number_of_workers_changes_nothing(batch, tmp_path, monkeypatch):
    """The model is of a file that workers import by its name: they start with the path of their parent."""
    (tmp_path / "own_workers.py").write_text(GOOD)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "own_workers", raising=False)  # afterwards too
    model = Factory(f"{tmp_path}/own_workers.py:make").build(2, 2, torch.Generator()).eval()
    for workers in (1, 2):
        drawn = work(batch, tmp_path / str(workers), SmoothGrad(samples=2, noise=0.3))
        explain(replace(drawn, model=model), workers)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_the_label_or_the_prediction_is_explained(batch, tmp_path):
    for explained in ("label", "prediction"):
        explain(work(batch, tmp_path / explained, explained=explained))
    label, prediction = (read_attributions(tmp_path / name) for name in ("label", "prediction"))
    assert torch.equal(torch.cat([part.explained for part in label]), batch.label)
    assert torch.equal(torch.cat([part.explained for part in prediction]), (batch.inputs.sum((1, 2)) > 0).long())


def test_scores_follow_their_samples(batch, tmp_path):
    explain(work(batch, tmp_path / "maps", Saliency()))
    mixed = slice_batch(batch, torch.arange(9, -1, -1))
    evaluate_maps(EvaluateJob(Sum(), mixed, tmp_path / "maps", (AUROC(), Vanishing()), tmp_path / "scores", CASE))
    scores = stored_scores(tmp_path / "scores")
    assert scores["auroc"].values.tolist() == [0.5] * 10
    assert scores["auroc"].ceiling.tolist() == [1.0] * 10
    assert scores["vanishing"].aux["reach"].tolist() == pytest.approx([0.25] * 10)
    number = score_numbers(scores, 0)["auroc"]
    assert (number.value, number.low, number.high) == (0.5, 0.5, 0.5)


def test_maps_of_other_data_are_refused(batch, tmp_path):
    explain(work(batch, tmp_path / "maps"))
    with pytest.raises(PartError, match="sample '000009'"):
        evaluate_maps(
            EvaluateJob(
                Sum(), slice_batch(batch, slice(0, 9)), tmp_path / "maps", (AUROC(),), tmp_path / "scores", CASE
            )
        )


def test_metrics_with_truth_need_a_truth(batch):
    assert "auroc" in default_metrics(batch)
    assert default_metrics(Batch(batch.inputs, batch.label)) == ("vanishing",)


def test_texts_are_explained_by_their_embeddings(tmp_path):
    """A shard holds what `attribute` returns for the embeddings, and is evaluated against their truth."""
    splits = PlantedText(train=1, validation=1, test=6).load(0)
    model = DeepLSTM(3, 4, 2).build(splits.features, 2, torch.Generator().manual_seed(0)).eval()
    maps = tmp_path / "maps"
    explain(ExplainJob(model, splits.test, InputXGradient(), maps, "lstm", explained="label", shard=4))
    stored = read_attributions(maps)
    seen = embed_batch(model, splits.test)
    settings = {"target": seen.label, "lengths": seen.mask.sum(1)}
    values = attribute(model, seen.inputs, InputXGradient(), **settings).values
    torch.testing.assert_close(torch.cat([part.attribution.values for part in stored]), values)
    assert torch.cat([part.truth for part in stored]).equal(seen.truth)
    evaluate_maps(EvaluateJob(model, splits.test, maps, (AUROC(),), tmp_path / "scores", CASE))
    assert stored_scores(tmp_path / "scores")["auroc"].ceiling.eq(1).all()


def test_methods_that_need_no_samples_and_fitted_ones_are_returned(generator):
    batch = Batch(torch.randn(4, 3, 2, generator=generator), torch.zeros(4).long())
    assert fit_method(Gradient(), nn.Flatten(), batch) == Gradient()
    fitted = fit_method(InputIBA(), nn.Flatten(), batch)
    assert fit_method(fitted, nn.Flatten(), batch) is fitted


def test_a_method_is_fitted_to_at_most_a_thousand_samples():
    x = torch.zeros(SEEN + 500, 1, 1)
    x[SEEN:] = 1e6
    fitted = fit_method(InputIBA(), nn.Flatten(), Batch(x, torch.zeros(len(x)).long()))
    assert fitted.inputs.mean.abs().max() == 0
