"""What comes back from the disk is what went there, to the bit."""

import pytest
import torch

from perdure.core.errors import PartError
from perdure.landscape.curve import Bezier
from perdure.landscape.path import Chain
from perdure.landscape.route import load_path, save_path
from perdure.landscape.storage import save_tensors


def weights(seed):
    """Names that are neither in order nor of one dtype."""
    generator = torch.Generator().manual_seed(seed)
    return {
        "z": torch.randn(2, 3, generator=generator),
        "a": torch.randn((), generator=generator, dtype=torch.float64),
        "m": torch.randn(4, generator=generator).half(),
    }


@pytest.mark.parametrize("shape", [Chain, Bezier])
def test_a_path_comes_back_with_its_names_in_order(tmp_path, shape):
    path = shape(tuple(weights(seed) for seed in range(3)))
    save_path(tmp_path / "path.safetensors", path)
    result = load_path(tmp_path / "path.safetensors")
    assert type(result) is shape
    for first, other in zip(path.points, result.points, strict=True):
        assert list(first) == list(other)
        assert all(first[name].dtype == other[name].dtype and torch.equal(first[name], other[name]) for name in first)


def test_damaged_files_are_named(tmp_path):
    file = tmp_path / "path.safetensors"
    with pytest.raises(PartError, match="missing"):
        load_path(file)
    save_path(file, Chain((weights(0), weights(1))))
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(PartError, match=r"path\.safetensors is missing or damaged"):
        load_path(file)
    save_tensors(file, weights(0), {"shape": "Chain"})
    with pytest.raises(PartError, match="holds no path"):
        load_path(file)
