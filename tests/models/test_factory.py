"""A factory in a file and in a package, and everything that can be wrong with first."""

import sys

import pytest
import torch

from perdure.core.errors import FactoryError, SettingError
from perdure.core.registry import MODELS
from perdure.models._adapted import Adapted
from perdure.models.factory import Factory, is_factory
from tests.models.own import GOOD


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """A file of a unique name, so that no test imports the module of another."""
    name = "own_" + "".join(c for c in request.node.name if c.isalnum())
    (tmp_path / f"{name}.py").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def weights(source, seed, features=3, classes=2):
    model = Factory(source).build(features, classes, stream(seed))
    return torch.cat([weight.flatten() for weight in model.parameters()])


@pytest.mark.parametrize("name", ["make", "plain"])
def test_weights_follow_from_the_seed_and_the_global_state_is_left_alone(own, name):
    torch.rand(1)
    before = torch.get_rng_state()
    first, again, other = (weights(f"{own}.py:{name}", seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_factory_gets_the_arguments_it_names(own):
    assert (
        weights(f"{own}.py:make", 0, features=5, classes=4).numel() == weights(f"{own}.py:plain", 0).numel() + 24 + 10
    )
    first, same, other = (Factory(f"{own}.py:seeded").build(3, 2, stream(seed)).model for seed in (0, 0, 1))
    assert (first.seed, first.draw) == (same.seed, same.draw)
    assert (first.seed, first.draw) != (other.seed, other.draw)


def test_a_package_in_the_working_folder_and_the_class_itself(own, tmp_path):
    (tmp_path / f"{own}_package").mkdir()
    (tmp_path / f"{own}_package/inner.py").write_text(GOOD)
    assert torch.equal(weights(f"{own}_package.inner:make", 0), weights(f"{own}.py:make", 0))
    assert torch.equal(weights(f"{own}.py:Gru", 0), weights(f"{own}.py:make", 0))
    for name in (f"{own}_package.inner", f"{own}_package"):
        sys.modules.pop(name)


def test_models_are_adapted_on_the_device_of_the_generator_and_in_training_mode(own):
    model = Factory(f"{own}.py:make").build(3, 2, stream())
    assert isinstance(model, Adapted)
    assert model.training
    assert model(torch.zeros(4, 6, 3)).shape == (4, 2)
    assert Factory(f"{own}.py:turned").build(3, 2, stream())(torch.zeros(4, 6, 3)).shape == (4, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", r"raises ValueError: no width given \(line \d+ of .*own_.*py: raise ValueError"),
        ("leaves", "raises SystemExit: bye"),
        ("needs_width", "requires width. Remedy: give width a default"),
        ("nothing", "returns dict. Remedy: let it return a torch.nn.Module"),
        ("instance", "holds a Linear, no function, called 'instance'"),
        ("number", "holds a int, no function, called 'number'"),
        ("absent", "holds nothing called 'absent'. Remedy: write there: def absent"),
    ],
)
def test_what_is_wrong_with_a_factory_is_reported(own, name, message):
    with pytest.raises(FactoryError, match=message):
        Factory(f"{own}.py:{name}").build(3, 2, stream())


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("x = (", r"raises SyntaxError: .*\(line 1 of .*broken\w*.py"),
        ("import nowhere_at_all", "raises ModuleNotFoundError: No module named 'nowhere_at_all'.*line 1 of"),
        ("import sys; sys.exit(2)", "raises SystemExit: 2"),
    ],
)
def test_a_file_that_cannot_be_imported(own, tmp_path, code, message):
    (tmp_path / f"{own}broken.py").write_text(code)
    with pytest.raises(FactoryError, match=message):
        Factory(f"{own}broken.py:make").build(3, 2, stream())


def test_a_file_that_is_not_there_or_whose_name_is_taken(own, tmp_path):
    with pytest.raises(FactoryError, match=r"no file 'nowhere.py'"):
        Factory("nowhere.py:make").build(3, 2, stream())
    with pytest.raises(FactoryError, match=r"no module 'nowhere.at'|raises ModuleNotFoundError"):
        Factory("nowhere.at:make").build(3, 2, stream())
    (tmp_path / "random.py").write_text(GOOD)
    with pytest.raises(FactoryError, match=r"the name of 'random.py' is taken.*rename the file"):
        Factory("random.py:make").build(3, 2, stream())


@pytest.mark.parametrize("source", ["own.py", "own.py:", ":make", "own.py:1+1"])
def test_a_source_names_a_function(source):
    with pytest.raises(SettingError, match=r"names no factory. Remedy: write file.py:function"):
        Factory(source)


def test_naming_a_factory_runs_nothing(own, tmp_path):
    (tmp_path / f"{own}bomb.py").write_text("raise SystemExit('boom')")
    config = MODELS.make("factory", {"source": f"{own}bomb.py:make"})
    assert len(config.code) == 16
    assert is_factory(config.source)
    assert not any(is_factory(text) for text in ("lstm", "lstm:hidden_size=3", "runs/a", "timm:resnet18", "C:make"))


def test_the_code_shows_whether_the_file_has_changed(own, tmp_path):
    before = Factory(f"{own}.py:make").code
    (tmp_path / f"{own}.py").write_text(GOOD + "\n")
    assert Factory(f"{own}.py:make").code != before
