import torch
from captum.attr import InputXGradient as Captum

from perdure.attribution._attribute import attribute
from tests.cases import Linear, Opaque, stream

LABEL = torch.tensor([0, 1, 1])


def test_on_a_linear_model_it_is_what_each_site_adds():
    x, model = torch.randn(3, 5, generator=stream(), dtype=torch.float64), Linear(5)
    result = attribute(model, x, "input_x_gradient", target=LABEL)
    torch.testing.assert_close(result.values, x * model.weight[LABEL].detach())
    assert (result.provenance.forward, result.provenance.backward) == (3, 3)


def test_captum_agrees_on_a_recurrent_model():
    x, model = torch.randn(3, 7, 4, generator=stream()), Opaque("GRU").eval()
    expected = Captum(model).attribute(x.clone().requires_grad_(), target=LABEL).detach()
    torch.testing.assert_close(attribute(model, x, "input_x_gradient", target=LABEL).values, expected)
