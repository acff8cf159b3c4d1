"""With modules that stand for torchvision and timm, which no test installs."""

import sys
import types

import pytest
import torch
from torch import nn

from perdure.core.errors import CheckpointError, DependencyError, UnknownNameError
from perdure.models import _pretrained as pretrained
from perdure.models._pretrained import ensure_torchvision, load_pretrained


@pytest.fixture(autouse=True)
def _clean(monkeypatch):
    for name in ("torchvision", "torchvision.models", "timm"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(pretrained, "_shim", [])


class Finder:
    """Finds a torchvision that cannot be imported before its two operators are known, as a build that does not fit."""

    def __init__(self, message="operator torchvision::nms does not exist"):
        self.message, self.tries = message, 0

    def find_spec(self, name, _path=None, _target=None):
        if name not in ("torchvision", "torchvision.models"):
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, self, is_package=name == "torchvision")

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        if module.__name__ == "torchvision":
            self.tries += 1
            if "torchvision::nms" not in torch._C._dispatch_get_all_op_names():
                sys.modules["torchvision.half"] = module  # left behind by the import that fails
                raise RuntimeError(self.message)
        else:
            module.get_model = get_model


def get_model(name, weights):
    if name != "resnet18":
        raise ValueError(f"Unknown model {name}")
    if weights is not None:
        raise OSError("no network")
    return nn.Linear(1, 1)


@pytest.fixture
def broken(monkeypatch):
    finder = Finder()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    return finder


def test_a_torchvision_that_does_not_fit_is_imported_at_the_second_try(broken, caplog):
    assert ensure_torchvision()
    assert broken.tries == 2
    assert "torchvision.half" not in sys.modules
    assert "does not fit this torch" in caplog.text
    assert ensure_torchvision()
    assert broken.tries == 2
    assert {"torchvision::nms", "torchvision::qnms"} <= set(torch._C._dispatch_get_all_op_names())


def test_one_that_fits_is_left_as_it_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    assert not ensure_torchvision()
    assert pretrained._shim == []


def test_another_failure_of_torchvision_is_not_hidden(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Finder("no space left"), *sys.meta_path])
    with pytest.raises(RuntimeError, match="no space left"):
        ensure_torchvision()


def test_models_of_torchvision(broken):
    model = load_pretrained("torchvision/resnet18", weights=False)
    assert not model.training
    with pytest.raises(UnknownNameError, match="no published model is called 'torchvision/nothing'"):
        load_pretrained("torchvision/nothing")
    with pytest.raises(CheckpointError, match=r"neither be downloaded nor found.*load a local file"):
        load_pretrained("torchvision/resnet18")


def test_models_of_timm(broken, monkeypatch):
    timm = types.ModuleType("timm")
    timm.create_model = lambda name, pretrained: nn.Dropout(0.25 if pretrained else 0.5)
    monkeypatch.setitem(sys.modules, "timm", timm)
    model = load_pretrained("vgg16.tv_in1k")
    assert model.p == 0.25
    assert not model.training
    assert load_pretrained("vgg16.tv_in1k", weights=False).p == 0.5


@pytest.mark.parametrize("missing", ["torchvision", "timm"])
def test_a_missing_package_names_the_extra(missing, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision", types.ModuleType("torchvision"))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DependencyError, match=rf"package '{missing}'.*pip install 'perdure\[vision\]'"):
        load_pretrained("resnet18")
