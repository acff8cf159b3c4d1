import pickle

import pytest
import torch

from perdure.core.metric import Score
from perdure.metrics._summarise import summarise
from perdure.ops.bootstrap import bootstrap_interval


def test_means_between_the_ends_of_the_bootstrap_interval():
    values = torch.tensor([0.0, 0.5, 1.0, 0.9])
    result = summarise(Score("auroc", values, torch.full((4,), 0.5), torch.ones(4)), torch.Generator().manual_seed(0))
    low, high = bootstrap_interval(values, torch.Generator().manual_seed(0))
    assert (result.value, result.null, result.ceiling) == pytest.approx((0.6, 0.5, 1.0))
    assert result.interval == (low.item(), high.item())
    assert result.n == 4
    assert pickle.loads(pickle.dumps(result)) == result
