"""The bottleneck of a layer: its map finds what a known model reads, and sums to all bits."""

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.information_bottleneck import InformationBottleneck, input_map
from perdure.core.batch import Batch
from perdure.core.errors import BypassWarning, UnsupportedError
from tests.cases import convolutional, fill, stream


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


@pytest.mark.parametrize("settings", [{}, {"read_out": "bits"}, {"granularity": "element"}, {"beta": 10.0}])
@pytest.mark.parametrize("fitted", [9, 120])
def test_the_map_shows_the_place_that_the_model_reads(settings, fitted):
    model, x = ReadsCorner(), images(5).abs() + 1
    method = InformationBottleneck("conv", smoothing=0.0, **settings)
    method = method.fit(model, Batch(images(fitted, 1), torch.zeros(fitted).long()))
    result = attribute(model, x, method, target=torch.zeros(5).long())
    assert (result.values.flatten(1).argmax(1) == 5).all()
    if "beta" in settings or "read_out" in settings:
        torch.testing.assert_close(result.values.flatten(1).sum(1), result.aux["bits"])
    if "beta" not in settings:
        assert (result.aux["kept"] >= 0.9).all()
        assert result.aux["converged"].all()


class Residual(nn.Module):
    """A block whose skip connection, and whose gate of channels, bypass its convolutions."""

    def __init__(self, channels):
        super().__init__()
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.reduce, self.gate = nn.Conv2d(2 * channels, 2, 1), nn.Conv2d(2, 2 * channels, 1)
        self.project = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x):
        y = self.depthwise(self.expand(x).relu()).relu()
        y = self.gate(self.reduce(y.mean((2, 3), keepdim=True)).relu()).sigmoid() * y
        return x + self.project(y)


def residual_network():
    blocks = [Residual(4) for _ in range(3)]
    return fill(nn.Sequential(nn.Conv2d(1, 4, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)))


def test_the_default_layer_of_residual_and_gated_networks_is_a_whole_block():
    batch = Batch(images(12, 1), torch.zeros(12).long())
    assert InformationBottleneck().fit(residual_network(), batch).inside.layer == "2"
    assert InformationBottleneck().fit(convolutional(), Batch(torch.randn(9, 2, 6, 5), torch.zeros(9).long())).inside


def test_a_named_layer_with_a_bypass_is_reported():
    batch = Batch(images(12, 1), torch.zeros(12).long())
    with pytest.warns(BypassWarning, match=r"bypasses layer '2.project'.*leave layer= out"):
        InformationBottleneck("2.project").fit(residual_network(), batch)


def test_few_samples_share_the_moments_of_a_channel():
    few, many = (
        InformationBottleneck("conv").fit(ReadsCorner(), Batch(images(count, 1), torch.zeros(count).long()))
        for count in (9, 100)
    )
    assert few.inside.activations.mean.shape == (2, 1, 1)
    assert many.inside.activations.mean.shape == (2, 4, 4)
    assert few.inside.activations.std.flatten().tolist() == pytest.approx([1.0, 1.0], abs=0.2)


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
    with pytest.warns(BypassWarning, match="100%"):
        method = InformationBottleneck("unused").fit(model, Batch(images(9), torch.zeros(9).long()))
    with pytest.raises(UnsupportedError, match="'unused' does not influence"):
        attribute(model, images(2), method, target=torch.tensor([0, 1]))
