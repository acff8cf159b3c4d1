import pytest
import torch
from captum.attr import Saliency as Captum

from perdure.attribution._attribute import attribute
from perdure.core.target import Margin, Probability
from tests.cases import CopiesStep, Linear, Opaque, stream

LABEL = torch.tensor([0, 1, 1])
X = torch.randn(3, 7, 4, generator=stream())


def test_on_a_linear_model_it_is_the_weight():
    model = Linear(7, 4).float()
    result = attribute(model, X, "gradient", target=LABEL).values
    torch.testing.assert_close(result, model.weight[LABEL].detach())
    torch.testing.assert_close(attribute(model, X, "saliency", target=LABEL).values, result.abs())


@pytest.mark.parametrize("step", [0, 3, 6])
def test_a_copied_step_is_the_only_one_that_matters(step):
    result = attribute(CopiesStep(step), X, "gradient", target=LABEL).values
    sign = torch.tensor([1.0, -1.0, -1.0])[:, None]
    assert torch.equal(result[:, step], sign.expand(3, 4))
    result[:, step] = 0
    assert not result.any()


@pytest.mark.parametrize("cell", ["RNN", "GRU", "LSTM"])
def test_captum_agrees_on_recurrent_models(cell):
    model = Opaque(cell).eval()
    expected = Captum(model).attribute(X.clone().requires_grad_(), target=LABEL, abs=False)
    torch.testing.assert_close(attribute(model, X, "gradient", target=LABEL).values, expected)


@pytest.mark.parametrize("target", [Probability(LABEL), Margin(LABEL), lambda logits: logits.logsumexp(1)])
def test_any_target_is_differentiated(target):
    model, x = Opaque().eval(), X.clone().requires_grad_()
    target(model(x)).sum().backward()
    torch.testing.assert_close(attribute(model, X, "gradient", target=target).values, x.grad)
