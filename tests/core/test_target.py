"""Targets of one step of a model whose output at each step is the running sum of what it has read."""

import numpy as np
import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.errors import ShapeError
from perdure.core.target import AtStep, Logit, LogProbability, Margin, Probability, curve_target, in_nats, select_target
from tests.cases import stream

X = torch.randn(3, 5, 2, generator=stream())
STEPS, LABEL = torch.tensor([0, 2, 4]), torch.tensor([1, 0, 1])


class RunningSum(nn.Module):
    def forward(self, x):
        return x.cumsum(1)


@pytest.mark.parametrize("method", ["gradient", "smooth_grad:samples=3", "occlusion:window=[1, 1]"])
@pytest.mark.parametrize("size", [1, 256])
def test_only_the_class_and_the_steps_up_to_the_explained_one_matter(method, size):
    """The gradient is one there and zero elsewhere; occlusion by zero gives the input itself."""
    result = attribute(RunningSum(), X, method, target=AtStep(STEPS, Logit(LABEL)), batch_size=size).values
    matters = (torch.arange(5) <= STEPS[:, None])[..., None] & (torch.arange(2) == LABEL[:, None])[:, None]
    expected = matters * (X if method.startswith("occlusion") else torch.ones_like(X))
    assert torch.allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize("target", [LABEL, Logit(LABEL), Margin(LABEL)])
def test_a_class_alone_does_not_determine_the_step(target):
    with pytest.raises(
        ShapeError, match=r"shape \(1, 5, 2\) for one sample.*wrap it.*perdure.AtStep\(step, perdure.Logit"
    ):
        attribute(RunningSum(), X, "gradient", target=target)


@pytest.mark.parametrize("step", [0, 2, -1])
def test_one_step_may_stand_for_all_samples(step):
    item, each = (AtStep(at, Logit(LABEL)) for at in (step, torch.full((3,), step % 5)))
    outputs = X.cumsum(1)
    assert torch.equal(item(outputs), each(outputs))
    assert torch.equal(select_target(item, slice(1, 3))(outputs[1:]), each(outputs)[1:])
    assert torch.equal(curve_target(item)(outputs), curve_target(each)(outputs))


def test_what_is_made_of_a_target_is_made_of_that_at_its_step():
    outputs = X.cumsum(1)
    there = outputs[torch.arange(3), STEPS]
    target = AtStep(STEPS, Logit(LABEL))
    assert torch.equal(target(outputs), Logit(LABEL)(there))
    assert torch.equal(curve_target(target)(outputs), Probability(LABEL)(there))
    assert torch.equal(in_nats(target)(outputs), LogProbability(LABEL)(there))
    assert torch.equal(select_target(target, slice(1, 3))(outputs[1:]), Logit(LABEL)(there)[1:])


def test_a_target_of_labels_of_any_type_can_be_printed():
    assert "label=array" in repr(Logit(np.array([0, 1])))
