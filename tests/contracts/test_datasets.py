"""What every dataset of the registry must keep to."""

from dataclasses import MISSING, fields

import pytest
import torch

from perdure.core.registry import DATASETS
from tests.data.files import write_arrays, write_mnist_idx


def write_mnist_folder(folder):
    write_mnist_idx(folder)
    return folder


FILES = {
    "arrays": lambda folder: write_arrays(folder / "data.npz"),
    "mnist_series": write_mnist_folder,
}


def made(name, folder):
    """Make a dataset that is small and needs no network."""
    known = {f.name: f for f in fields(DATASETS.load(name))}
    if name not in FILES and any(f.default is f.default_factory is MISSING for f in known.values()):
        pytest.skip(f"'{name}' needs a file, and tests/contracts/test_datasets.py knows none")
    settings = {"path": str(FILES[name](folder))} if name in FILES else {}
    return DATASETS.make(name, settings | ({"size": 20} if "size" in known else {}))


def parts(splits):
    return splits.train, splits.validation, splits.test


def same(a, b):
    return all(torch.equal(x.inputs, y.inputs) and x.id == y.id for x, y in zip(parts(a), parts(b), strict=True))


@pytest.mark.parametrize("name", DATASETS.names())
def test_a_seed_fixes_the_samples_and_another_changes_them(name, tmp_path):
    dataset = made(name, tmp_path)
    before = torch.get_rng_state()
    first = dataset.load(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, dataset.load(1))
    assert not same(first, dataset.load(2))


@pytest.mark.parametrize("name", DATASETS.names())
def test_samples_are_whole_and_belong_to_one_split(name, tmp_path):
    splits = made(name, tmp_path).load(0)
    names = [one for part in parts(splits) for one in part.id]
    assert len(set(names)) == len(names) == sum(map(len, parts(splits)))
    assert len(set(splits.classes)) == len(splits.classes) >= 2
    for part in parts(splits):
        assert part.inputs.dtype == torch.float32
        assert part.inputs.ndim == 3
        assert torch.isfinite(part.inputs).all()
        assert part.label.dtype == torch.int64
        assert set(part.label.tolist()) <= set(range(len(splits.classes)))
        if part.truth is not None:
            assert part.truth.dtype == torch.bool
            assert part.truth.shape == part.inputs.shape
