import pytest
import torch

from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.stability.checks import check_methods
from tests.cases import recurrent


@pytest.fixture
def batch(generator):
    return Batch(torch.randn(4, 5, 4, generator=generator), torch.arange(4) % 3)


def test_methods_that_can_explain_the_model_pass_also_those_that_must_see_samples(batch):
    check_methods(recurrent(), ("saliency", "input_iba:steps=2,copies=2"), batch)


@pytest.mark.parametrize("method", ["deep_lift", "grad_cam"])
def test_a_method_that_cannot_explain_the_model_is_named(method, batch):
    with pytest.raises(UnsupportedError, match="Remedy"):
        check_methods(recurrent(), ("saliency", method), batch)
