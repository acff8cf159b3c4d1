"""Audits whose result is known: linear models by closed form, and the cost of a panel by a counter."""

import sys

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.audit.audit import audit
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch
from perdure.core.registry import METHODS
from perdure.data._splits import Splits
from perdure.engine.explain import fit_method

EXACT = ("input_x_gradient", "integrated_gradients:steps=4", "occlusion:window=[1, 1]")
BLIND = ("gradient", "random")


@pytest.mark.parametrize("seed", [0, 1])
def test_exact_maps_of_a_linear_model_are_found_and_blind_ones_are_not(seed):
    """y = w x: the contributions are w x; the weights alone and random maps do not show them."""
    generator = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(240, 12, 4, generator=generator), 0.6 * torch.randn(48, generator=generator)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 2, bias=False))
    model[1].weight.data = torch.stack([-weight, weight])
    batches = [Batch(part, model(part).argmax(1)) for part in x.split(80)]
    settings = AuditSettings((*BLIND, *EXACT), samples=48)
    (result,) = audit(model, Splits(*batches, ("low", "high")), settings=settings).models
    answers = {method.name: method.verdicts.down_to_input.answer for method in result.methods}
    assert [answers[name] for name in EXACT] == ["yes"] * 3
    assert [answers[name] for name in BLIND] == ["no"] * 2
    assert result.recommended == "input_x_gradient"  # the cheapest of three equal methods
    tied = {method.name: set(method.tied) for method in result.methods}
    assert set(EXACT[1:]) <= tied["input_x_gradient"]
    assert not tied["input_x_gradient"] & set(BLIND)


class CountedGRU(nn.Module):
    """Counts the samples that are sent through it."""

    def __init__(self):
        super().__init__()
        self.recurrence = nn.GRU(6, 16, batch_first=True)
        self.head = nn.Linear(16, 3)
        self.passes = 0

    def forward(self, x):
        self.passes += len(x)
        return self.head(self.recurrence(x)[0][:, -1])


@pytest.mark.slow
def test_a_panel_costs_at_most_two_and_a_half_times_its_maps_and_one_evaluation(capsys):
    model = CountedGRU().eval()
    x = torch.randn(64, 50, 6, generator=torch.Generator().manual_seed(0))
    label = model(x).argmax(1)
    splits = Splits(*[Batch(x, label)] * 3, ("a", "b", "c"))

    def count(methods, **settings):
        model.passes = 0
        result = audit(model, splits, settings=AuditSettings(methods, samples=40, **settings))
        return model.passes, result.models[0].methods

    total, methods = count(None)
    maps = 0
    for method in methods:
        model.passes = 0
        generator = torch.Generator().manual_seed(0)
        fitted = fit_method(METHODS.make(method.name), model, splits.train)
        attribute(model, x[:40], fitted, target="predicted", generator=generator)
        maps += model.passes
    single, _ = count(("saliency",))
    with capsys.disabled():
        sys.stdout.write(f"\npanel of {len(methods)}: {total:,} passes; maps {maps:,}; audit of saliency {single:,}\n")
    assert total <= 2.5 * (maps + single)
