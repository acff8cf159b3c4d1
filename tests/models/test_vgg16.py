import pytest
import safetensors.torch
import torch
from torch import nn

from perdure.attribution._layer import default_layer
from perdure.core.errors import CheckpointError, SettingError, ShapeError
from perdure.models import vgg16
from perdure.models.vgg16 import VGG16, VGG16Classifier
from perdure.training.checkpoint import load_into
from tests.models.networks import count, on_meta, runs_of_relus, shapes
from tests.models.published import VGG16_CONVOLUTIONS
from tests.models.published import vgg16 as published


@pytest.fixture
def narrow(monkeypatch):
    """The same network with an eighth of the channels."""
    monkeypatch.setattr(vgg16, "STAGES", tuple(tuple(width // 8 for width in stage) for stage in vgg16.STAGES))
    monkeypatch.setattr(vgg16, "HIDDEN", 64)


def test_weights_have_the_published_names_and_shapes():
    model = on_meta(lambda: VGG16Classifier(VGG16(), 3, 1000))
    assert list(shapes(model).items()) == list(published())
    assert count(model) == 138_357_544


def test_the_layers_of_published_experiments_have_their_names():
    model = on_meta(lambda: VGG16Classifier(VGG16(), 3, 1000))
    assert default_layer(model) == "features.17"  # conv4_1
    kinds = [type(layer) for layer in model.features]
    assert [i for i, kind in enumerate(kinds) if kind is nn.Conv2d] == list(VGG16_CONVOLUTIONS)
    assert [i for i, kind in enumerate(kinds) if kind is nn.MaxPool2d] == [4, 9, 16, 23, 30]
    assert isinstance(model.classifier[2], nn.Dropout)


def test_conv4_1_sees_a_grid_of_28_in_an_image_of_224():
    model = on_meta(lambda: VGG16Classifier(VGG16(), 3, 1000))
    assert model.features[:18](torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 512, 28, 28)


def test_every_relu_is_a_separate_module_and_not_in_place(narrow):
    model = VGG16().build(3, 10, torch.Generator())
    runs = runs_of_relus(model, torch.zeros(1, 3, 32, 32))
    assert list(runs.values()) == [1] * 15


def test_a_published_state_dict_loads_from_a_local_file(narrow, tmp_path):
    model, other = (VGG16().build(3, 10, torch.Generator().manual_seed(seed)).eval() for seed in (0, 1))
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    load_into(model, tmp_path / "weights.pth")
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(model(x), other(x))


def test_weights_of_another_network_are_refused(narrow, tmp_path):
    model = VGG16().build(3, 10, torch.Generator())
    safetensors.torch.save_file(VGG16().build(3, 11, torch.Generator()).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"'classifier.6.bias' has shape \(11,\) in the file and \(10,\)"):
        load_into(model, tmp_path / "w.safetensors")


def test_signals_keep_their_size_through_all_layers(narrow):
    """He's draw keeps the mean square from layer to layer, and each of five poolings raises it at most fourfold.

    With the draw that torch makes by itself it would fall by six a layer, to 1e-12.
    """
    model = VGG16().build(3, 200, torch.Generator().manual_seed(0)).eval()
    logits = model(torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert 0.1 < logits.square().mean() < 4**5


def test_wrong_images_and_settings_are_named(narrow):
    model = VGG16().build(3, 10, torch.Generator())
    with pytest.raises(ShapeError, match=r"pass images of at least 32 rows and columns"):
        model(torch.zeros(1, 3, 32, 31))
    with pytest.raises(ShapeError, match=r"x has shape \(1, 1, 32, 32\).*pass \(batch, 3, rows, columns\)"):
        model(torch.zeros(1, 1, 32, 32))
    with pytest.raises(SettingError, match="dropout is 1"):
        VGG16(dropout=1.0)
