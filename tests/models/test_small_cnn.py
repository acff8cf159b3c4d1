import pytest
import torch

from perdure.attribution._layer import UpToLayer, default_layer
from perdure.core.errors import EmptyDataError, SettingError, ShapeError
from perdure.data.shapes import Shapes
from perdure.models._presets import model_config
from perdure.models.small_cnn import SmallCNN
from perdure.training.settings import Training
from perdure.training.train import train
from tests.models.networks import count, runs_of_relus


def make_model(**settings):
    return SmallCNN(**settings).build(3, 4, torch.Generator().manual_seed(0)).eval()


def test_its_size_is_known_and_the_middle_layer_sees_a_grid_of_16():
    model = make_model()
    assert count(model) == (3 * 9 + 1) * 32 + (32 * 9 + 1) * 64 + (64 * 9 + 1) * 64 + (64 + 1) * 4
    assert default_layer(model) == "features.3"
    assert UpToLayer(model, "features.4")(torch.zeros(1, 3, 32, 32)).shape == (1, 64, 16, 16)


def test_every_relu_is_a_separate_module_and_not_in_place():
    assert list(runs_of_relus(make_model(), torch.zeros(1, 3, 32, 32)).values()) == [1] * 3


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_any_size_and_a_batch_is_its_samples(pooling):
    model, x = make_model(pooling=pooling), torch.randn(3, 3, 40, 56)
    torch.testing.assert_close(model(x), torch.cat([model(image[None]) for image in x]))


def test_a_shape_that_moves_by_a_whole_cell_is_the_same_to_it():
    """Three poolings by two make a cell of eight; the head sees no place, and far from the edge nothing else does."""
    x = torch.zeros(2, 3, 64, 64)
    x[0, :, 24:30, 24:32] = x[1, :, 32:38, 16:24] = 1.0
    logits = make_model()(x)
    torch.testing.assert_close(logits[0], logits[1])


def test_it_learns_a_few_shapes_by_heart():
    splits = Shapes(train=40, validation=20, test=4, noise=0.0, strokes=0).load(0)
    fitted = train(SmallCNN(width=16), splits, Training(epochs=30, batch_size=10, patience=None), 0)
    assert fitted.history[-1].loss < 0.1 < fitted.history[0].loss


def test_it_has_a_name():
    assert model_config("small_cnn:width=8,pooling=mean") == SmallCNN(width=8, pooling="mean")


def test_wrong_images_and_settings_are_named():
    with pytest.raises(ShapeError, match=r"pass \(batch, 3, rows, columns\)"):
        make_model()(torch.zeros(2, 1, 32, 32))
    with pytest.raises(ShapeError, match="at least 8 rows and columns"):
        make_model()(torch.zeros(2, 3, 32, 7))
    with pytest.raises(EmptyDataError, match="holds nothing"):
        make_model()(torch.zeros(0, 3, 32, 32))
    with pytest.raises(SettingError, match="width is 0"):
        SmallCNN(width=0)
    with pytest.raises(SettingError, match="pooling is 'sum'"):
        SmallCNN(pooling="sum")
