"""The verdict from one checkpoint: weaker words, and no verdict where the loss is not reached again."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from perdure.audit import nearby
from perdure.audit.audit import audit
from perdure.audit.nearby import NEARBY, compare_neighbours
from perdure.audit.requirement import parse_requirement
from perdure.audit.settings import AuditSettings
from perdure.core.batch import Batch
from perdure.data._splits import Splits
from perdure.stability.neighbours import Neighbour
from perdure.training.predict import accuracy


def draw_batch(seed, count=60):
    x = torch.randn(count, 4, 2, generator=torch.Generator().manual_seed(seed))
    return Batch(x, (x[:, 0, 0] > 0).long())


SPLITS = Splits(draw_batch(0), draw_batch(1), draw_batch(2), ("-", "+"))


class Linear(nn.Module):
    """A linear classifier of given weights."""

    def __init__(self, weights):
        super().__init__()
        self.head = nn.Linear(8, 2)
        self.head.load_state_dict({"weight": torch.stack([-weights, weights]), "bias": torch.zeros(2)})

    def forward(self, x):
        return self.head(x.flatten(1))


GIVEN = Linear(torch.tensor([8.0, 0.3, -0.2, 0.4, 0.1, -0.3, 0.2, 0.5]))
OTHER = Linear(torch.tensor([8.0, -0.3, 0.4, -0.2, 0.3, 0.1, -0.5, 0.2]))


def plant(monkeypatch, models, is_equal=True):
    made = tuple(Neighbour(model, 0.1, 1.0, is_equal) for model in models)
    monkeypatch.setattr(nearby, "draw_neighbours", lambda *_: made)


def compare(tmp_path, methods=("gradient",)):
    return compare_neighbours(GIVEN, SPLITS, 20, methods, tmp_path, 0)


def test_networks_with_equal_maps_are_steady_nearby(monkeypatch, tmp_path):
    assert accuracy(GIVEN, SPLITS.test) > 0.9
    plant(monkeypatch, [GIVEN] * 3)
    verdicts = compare(tmp_path, ("gradient", "input_x_gradient"))
    assert list(verdicts) == ["gradient", "input_x_gradient"]
    verdict = verdicts["gradient"]
    assert (verdict.answer, verdict.level) == ("steady nearby", "good")
    assert "weaker than real training runs" in verdict.sentence
    assert f"{verdict.numbers[0].value:.2f}" in verdict.sentence


def test_networks_with_other_maps_are_not_steady_and_the_level_is_weaker(monkeypatch, tmp_path):
    retrained = [Linear(OTHER.head.weight[1].detach()[torch.tensor(order)]) for order in ORDERS]
    assert all(accuracy(other, SPLITS.test) > 0.8 for other in retrained)
    plant(monkeypatch, retrained)
    verdict = compare(tmp_path)["gradient"]
    assert verdict.answer in set(NEARBY.values()) - {"steady nearby"}
    assert verdict.level == "warning"


ORDERS = [[0, 5, 4, 6, 1, 3, 2, 7], [0, 7, 2, 1, 6, 5, 3, 4], [0, 1, 6, 2, 3, 7, 5, 4]]


def test_without_neighbours_of_equal_loss_nothing_is_tested(monkeypatch, tmp_path):
    plant(monkeypatch, [GIVEN] * 3, is_equal=False)
    verdict = compare(tmp_path)["gradient"]
    assert verdict.answer == "not tested"
    assert "0 of 3 short retrainings reach" in verdict.sentence
    assert "--runs 5" in verdict.sentence


def test_images_are_not_tested(tmp_path):
    images = replace(SPLITS.test, inputs=torch.zeros(60, 1, 4, 4))
    verdict = compare_neighbours(GIVEN, replace(SPLITS, test=images), 20, ("gradient",), tmp_path, 0)["gradient"]
    assert verdict.answer == "not tested"
    assert "not calibrated on images" in verdict.sentence


def test_a_model_that_cannot_be_trained_is_not_tested(tmp_path):
    fixed = Linear(GIVEN.head.weight[1].detach()).requires_grad_(False)
    verdict = compare_neighbours(fixed, SPLITS, 20, ("gradient",), tmp_path, 0)["gradient"]
    assert verdict.answer == "not tested"
    assert "no weights that can be trained" in verdict.sentence


def test_an_audit_compares_short_retrainings_only_when_they_are_chosen(monkeypatch):
    plant(monkeypatch, [GIVEN] * 3)
    settings = AuditSettings(("input_x_gradient",), samples=8, faithfulness_samples=4, nearby=True)
    (method,) = audit(GIVEN, SPLITS, settings=settings).models[0].methods
    assert method.verdicts.across_runs.answer == "steady nearby"
    (method,) = audit(GIVEN, SPLITS, settings=replace(settings, nearby=False)).models[0].methods
    assert method.verdicts.across_runs.answer == "not tested"
    assert "--nearby" in method.verdicts.across_runs.sentence


def test_every_nearby_answer_can_be_required():
    for answer in NEARBY.values():
        parse_requirement(f"across_runs={answer}")


@pytest.mark.slow
def test_a_linear_model_is_steady_when_it_is_trained_again(tmp_path):
    x = torch.randn(400, 4, 2, generator=torch.Generator().manual_seed(0))
    weights = torch.linspace(-2, 2, 8)
    batch = Batch(x, (x.flatten(1) @ weights > 0).long())
    splits = replace(SPLITS, train=batch, validation=batch, test=batch)
    verdict = compare_neighbours(Linear(weights), splits, 24, ("gradient",), tmp_path, 0)["gradient"]
    assert verdict.answer == "steady nearby"
