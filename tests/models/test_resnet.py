import pytest
import torch

from perdure.core.errors import SettingError, ShapeError
from perdure.models._presets import model_config
from perdure.models.resnet import ResNet, ResNetClassifier
from perdure.training.checkpoint import load_into
from tests.models.networks import count, on_meta, runs_of_relus, shapes
from tests.models.published import resnet18, resnet50


@pytest.mark.parametrize(("depth", "published", "weights"), [(18, resnet18, 11_689_512), (50, resnet50, 25_557_032)])
def test_weights_have_the_published_names_and_shapes(depth, published, weights):
    model = on_meta(lambda: ResNetClassifier(ResNet(depth), 3, 1000))
    assert list(shapes(model).items()) == list(published())
    assert count(model) == weights


@pytest.mark.parametrize(("depth", "relus"), [(18, 17), (50, 49)])
def test_every_relu_is_a_separate_module_and_not_in_place(depth, relus):
    model = ResNet(depth).build(3, 4, torch.Generator())
    assert list(runs_of_relus(model, torch.zeros(1, 3, 32, 32)).values()) == [1] * relus


@pytest.mark.parametrize(("depth", "channels"), [(18, 512), (50, 2048)])
def test_the_last_stage_sees_a_grid_of_7_in_an_image_of_224(depth, channels):
    model = on_meta(lambda: ResNetClassifier(ResNet(depth), 3, 1000))
    seen = {}
    model.layer4.register_forward_hook(lambda _module, _args, output: seen.update(shape=output.shape))
    model(torch.zeros(1, 3, 224, 224, device="meta"))
    assert seen["shape"] == (1, channels, 7, 7)


def test_a_state_dict_loads_with_its_running_statistics(tmp_path):
    model, other = (ResNet().build(3, 4, torch.Generator().manual_seed(seed)).eval() for seed in (0, 1))
    other.bn1.running_mean.fill_(0.3)
    torch.save(other.state_dict(), tmp_path / "weights.pth")
    load_into(model, tmp_path / "weights.pth")
    x = torch.randn(2, 3, 64, 64)
    assert torch.equal(model(x), other(x))


def test_the_published_depths_have_names():
    assert model_config("resnet50") == ResNet(50)
    assert model_config("resnet18") == model_config("resnet") == ResNet(18)


def test_wrong_images_and_settings_are_named():
    with pytest.raises(SettingError, match=r"depth is 34.*give 18 or 50"):
        ResNet(34)
    with pytest.raises(ShapeError, match=r"pass \(batch, 3, rows, columns\)"):
        ResNet().build(3, 4, torch.Generator())(torch.zeros(3, 32, 32))
