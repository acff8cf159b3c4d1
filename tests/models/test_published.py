"""With a module that stands for timm, which no test installs."""

import sys
import types

import pytest
import torch
from torch import nn

from perdure.core.errors import UnknownNameError
from perdure.models import _pretrained as pretrained
from perdure.models.published import Published


@pytest.fixture(autouse=True)
def _timm(monkeypatch):
    def create_model(name, pretrained, num_classes, in_chans):
        if name != "resnet18":
            raise RuntimeError(f"Unknown model ({name})")
        assert not pretrained
        return nn.Sequential(nn.Conv2d(in_chans, 4, 3), nn.Flatten(), nn.Linear(4, num_classes))

    timm = types.ModuleType("timm")
    timm.create_model = create_model
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setattr(pretrained, "_shim", [])


def test_weights_follow_from_the_seed_and_the_global_state_is_left_alone():
    before = torch.get_rng_state()
    first, same, other = (Published("resnet18").build(1, 2, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first[0].weight, same[0].weight)
    assert not torch.equal(first[0].weight, other[0].weight)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.training
    assert first[0].weight.shape == (4, 1, 3, 3)
    assert first[2].out_features == 2


def test_an_unknown_name():
    with pytest.raises(UnknownNameError, match="no published model is called 'resnet19'"):
        Published("resnet19").build(3, 2, torch.Generator())
