import torch
from torch import nn

from perdure.attribution.gradient import Gradient
from perdure.attribution.input_iba import InputIBA
from perdure.core.batch import Batch
from perdure.engine.fitted import SEEN, prepared


def test_methods_that_need_no_samples_and_fitted_ones_come_back(generator):
    batch = Batch(torch.randn(4, 3, 2, generator=generator), torch.zeros(4).long())
    assert prepared(Gradient(), nn.Flatten(), batch) == Gradient()
    fitted = prepared(InputIBA(), nn.Flatten(), batch)
    assert prepared(fitted, nn.Flatten(), batch) is fitted


def test_at_most_a_thousand_samples_are_seen():
    x = torch.zeros(SEEN + 500, 1, 1)
    x[SEEN:] = 1e6
    fitted = prepared(InputIBA(), nn.Flatten(), Batch(x, torch.zeros(len(x)).long()))
    assert fitted.inputs.mean.abs().max() == 0
