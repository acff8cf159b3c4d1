import pytest
import torch
from torch import nn

from perdure.models._weights import draw_weights
from perdure.models.resnet import ResNet
from perdure.models.small_cnn import SmallCNN

CONFIGS = [SmallCNN(width=4), ResNet()]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: type(config).__name__)
def test_weights_follow_from_the_generator_alone(config):
    before = torch.get_rng_state()
    same, again, other = (config.build(3, 4, torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not torch.equal(next(iter(same.values())), next(iter(other.values())))
    assert all(torch.isfinite(value).all() for value in same.values())


def test_normalisations_begin_as_the_identity():
    model = ResNet().build(3, 4, torch.Generator()).eval()
    x = torch.randn(2, 64, 5, 5)
    torch.testing.assert_close(model.bn1(x), x, rtol=1e-4, atol=1e-4)
    assert int(model.bn1.num_batches_tracked) == 0


def test_weights_have_the_spread_of_he():
    """A uniform draw between -b and b has variance b^2 / 3; He's is 2 / n."""
    layer = nn.Conv2d(16, 200, 3)
    draw_weights(layer, torch.Generator().manual_seed(0))
    assert layer.weight.var().item() == pytest.approx(2 / (16 * 9), rel=0.03)
