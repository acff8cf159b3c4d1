"""The bottleneck of a layer: its map finds what a known model reads, and sums to all bits."""

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.information_bottleneck import InformationBottleneck, input_map
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from tests.cases import convolutional, stream


class ReadsCorner(nn.Module):
    """Two logits, plus and minus the first channel of a convolution at one place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 1)
        nn.init.constant_(self.conv.weight, 1.0)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x):
        score = 8 * self.conv(x)[:, 0, 1, 1]
        return torch.stack([score, -score], 1)


def images(count, seed=0):
    return torch.randn(count, 1, 4, 4, generator=stream(seed)) + 1


def test_the_map_shows_the_place_that_the_model_reads():
    model, x = ReadsCorner(), images(5).abs() + 1
    method = InformationBottleneck("conv", smoothing=0.0).fit(model, Batch(images(50, 1), torch.zeros(50).long()))
    result = attribute(model, x, method, target=torch.zeros(5).long())
    assert (result.values.flatten(1).argmax(1) == 5).all()
    torch.testing.assert_close(result.values.flatten(1).sum(1), result.aux["bits"])


def test_a_coarse_map_keeps_its_sum():
    nats = torch.rand(2, 3, 4, 4, generator=stream())
    spread = input_map(nats, torch.zeros(2, 3, 8, 8), "conv")
    assert spread.sum() == pytest.approx(nats.sum().item(), rel=1e-5)
    shorter = torch.rand(2, 5, 3, generator=stream())
    assert input_map(shorter, torch.zeros(2, 10, 4), "conv").sum() == pytest.approx(shorter.sum().item(), rel=1e-5)


def test_before_it_is_fitted_it_raises_a_named_error():
    with pytest.raises(UnsupportedError, match="has not seen any data"):
        attribute(convolutional(), torch.randn(2, 2, 6, 5), "information_bottleneck", target=torch.tensor([0, 1]))


def test_a_layer_without_positions_is_named():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 2))
    method = InformationBottleneck("1").fit(model, Batch(images(9), torch.zeros(9).long()))
    with pytest.raises(UnsupportedError, match="has no map"):
        attribute(model, images(2), method, target=torch.tensor([0, 1]))


def test_a_layer_that_does_not_matter_is_named():
    class Unused(ReadsCorner):
        def __init__(self):
            super().__init__()
            self.unused = nn.Conv2d(1, 1, 1)

        def forward(self, x):
            self.unused(x)
            return super().forward(x)

    model = Unused()
    method = InformationBottleneck("unused").fit(model, Batch(images(9), torch.zeros(9).long()))
    with pytest.raises(UnsupportedError, match="'unused' does not influence"):
        attribute(model, images(2), method, target=torch.tensor([0, 1]))
