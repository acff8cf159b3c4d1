import pytest
import torch

from perdure.core.batch import Batch
from perdure.core.resources import single_thread
from perdure.data._splits import Splits


@pytest.fixture(name="one_thread")
def alone():
    with single_thread():
        yield


def series(count, seed, steps=6, features=3):
    """Series whose first feature has the sign of the class."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.arange(count) % 2
    inputs = torch.randn(count, steps, features, generator=generator)
    inputs[..., 0] += 2.0 * label[:, None] - 1.0
    return Batch(inputs, label)


@pytest.fixture
def splits():
    return Splits(series(40, 0), series(20, 1), series(20, 2), ("down", "up"))
