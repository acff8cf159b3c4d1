"""Predictions and explanations of the model with the weights of the path, by hand."""

import pytest
import torch
from torch import nn

from perdure.attribution.gradient import Gradient
from perdure.attribution.smooth_grad import SmoothGrad
from perdure.core.batch import Batch
from perdure.landscape.path import connect_linearly, space_evenly
from perdure.landscape.surface import ModelLoss
from perdure.stability.along_path import Explainer, compute_f1, evaluate_along_path, explain_along_path
from perdure.stability.vectors import pool_by_position

X = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
BATCH = Batch(X, torch.tensor([0, 1, 0, 1]))
TURNED = [{"weight": torch.tensor([[a, 1.0], [0.0, 0.0]])} for a in (4.0, -4.0)]


def line(points=5):
    model = nn.Linear(2, 2, bias=False)
    return ModelLoss(model, BATCH), space_evenly(connect_linearly(*TURNED), points).points


def test_the_model_does_well_until_its_weight_changes_sign():
    """At x = (1, 0) the logits are (a, 0), with a = 4, 2, 0, -2, -4 on the way; at 0 the first class wins the tie."""
    surface, points = line()
    result = evaluate_along_path(surface, points, BATCH)
    assert result.t.tolist() == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert result.predicted[:, 0].tolist() == [0, 0, 0, 1, 1]
    assert result.accuracy.tolist() == [1.0, 1.0, 0.75, 0.5, 0.5]
    assert result.f1[-1].item() == pytest.approx(0.5)
    assert result.loss[1].item() == pytest.approx(torch.tensor([-2.0, -1.0]).exp().log1p().mean().item())


def test_each_point_is_explained_with_its_own_weights():
    surface, points = line()
    before = {name: weight.clone() for name, weight in surface.model.named_parameters()}
    runs = explain_along_path(surface, points, BATCH, Explainer(lambda _: Gradient(), pool_by_position))
    assert runs[1].predicted.tolist() == [0, 1, 0, 1]
    assert runs[1].vectors.values[0].tolist() == [2.0, 1.0]
    assert runs[1].vectors.values[1].tolist() == [0.0, 0.0]  # the logit of the other class does not move
    assert [run.again is None for run in runs] == [False, True, True, True, False]
    assert torch.equal(runs[0].again.values, runs[0].vectors.values)
    assert all(torch.equal(weight, before[name]) for name, weight in surface.model.named_parameters())


def test_noise_is_drawn_afresh_at_every_point_and_the_same_in_every_call():
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
    surface = ModelLoss(model, BATCH)
    still = [{name: weight.detach() for name, weight in model.named_parameters()}] * 3
    explainer = Explainer(lambda _: SmoothGrad(samples=3), pool_by_position)
    first, two = (explain_along_path(surface, still, BATCH, explainer) for _ in range(2))
    assert all(torch.equal(a.vectors.values, b.vectors.values) for a, b in zip(first, two, strict=True))
    drawn = [first[0].vectors, first[1].vectors, first[2].vectors, first[0].again, first[2].again]
    assert len({tuple(vectors.values.flatten().tolist()) for vectors in drawn}) == 5


def test_a_method_meets_the_model_of_each_point():
    surface, points = line(3)
    met = []

    def method(model):
        met.append(model.weight[0, 0].item())
        return Gradient()

    explain_along_path(surface, points, BATCH, Explainer(method, pool_by_position))
    assert met == [4.0, 0.0, -4.0]


def test_statistics_of_batch_normalisation_are_those_of_the_point():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    surface = ModelLoss(model, BATCH)
    weights = {name: 2 * weight.detach() for name, weight in model.named_parameters()}
    made = surface.model_at(weights)
    hidden = nn.functional.linear(X, weights["0.weight"], weights["0.bias"])
    assert torch.allclose(made[1].running_mean, hidden.mean(0))
    assert torch.allclose(made[1].running_var, hidden.var(0))
    assert not made.training
    assert model[1].running_mean.abs().max() == 0
    losses = nn.functional.cross_entropy(made(X), BATCH.label, reduction="none")
    assert torch.allclose(losses, surface.losses(weights))


def test_f1_is_that_of_class_one_or_the_mean_over_classes():
    label = torch.tensor([0, 0, 1, 1])
    assert compute_f1(torch.tensor([0, 0, 0, 1]), label, 2) == pytest.approx(2 / 3)
    assert compute_f1(torch.zeros(4).long(), label, 2) == 0.0
    assert compute_f1(torch.zeros(4).long(), torch.zeros(4).long(), 2) == 0.0
    assert compute_f1(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1]), 3) == pytest.approx((1 + 2 / 3 + 0) / 3)
