"""Titles and sizes of samples, by models that always predict the same class."""

import numpy as np
import pytest
import torch
from torch import nn

from perdure.audit.explain import ExplainedModel
from perdure.audit.modality import SERIES
from perdure.audit.samples import collect_arrays, describe_size, title_samples
from perdure.core.batch import Batch
from perdure.stability.members import TrainedModel


class Always(nn.Module):
    def __init__(self, label):
        super().__init__()
        self.label = label

    def forward(self, x, lengths=None):
        return nn.functional.one_hot(torch.full((len(x),), self.label), 2).float()


LABEL = torch.tensor([0, 1])


def test_a_title_names_the_prediction_next_to_the_class_and_marks_mistakes():
    batch = Batch(torch.zeros(2, 3, 1), LABEL, id=("a", "b"))
    yes, no = TrainedModel("one", Always(1)), TrainedModel("other", Always(0))
    assert title_samples([yes], batch, ("no", "yes")) == [
        "a: class no, predicted yes (wrong)",
        "b: class yes, predicted yes",
    ]
    assert title_samples([yes, no], batch, ("no", "yes")) == [
        "a: class no, predicted yes by one and no by other (wrong)",
        "b: class yes, predicted yes by one and no by other (wrong)",
    ]


@pytest.mark.parametrize(
    ("inputs", "mask", "words"),
    [
        (torch.zeros(2, 1, 1), None, "1 step of 1 feature"),
        (torch.zeros(2, 3, 2), torch.tensor([[1, 1, 1], [1, 0, 0]]).bool(), "up to 3 steps of 2 features"),
        (torch.zeros(2, 3).long(), torch.ones(2, 3).bool(), "3 tokens"),
        (torch.zeros(2, 3, 8, 9), None, "3 x 8 x 9"),
    ],
)
def test_the_size_is_that_of_one_sample(inputs, mask, words):
    assert describe_size(Batch(inputs, LABEL, mask)) == words


def test_each_series_counts_with_its_length_in_the_curve_over_steps_before_the_end():
    """Even maps of series of 2 and 6 steps are flat, as far back as the longest series goes."""
    mask = torch.arange(8) < torch.tensor([[2], [6]])
    batch = Batch(torch.zeros(2, 8, 1), LABEL, mask)
    even = ExplainedModel("net", "even", torch.ones(2, 8, 1), {}, {}, {})
    late = ExplainedModel("net", "late", torch.eye(8)[[1, 5]][..., None], {}, {}, {})
    arrays = collect_arrays({"even": even, "late": late}, batch, SERIES, 0)
    assert arrays["profile/even"] == pytest.approx(np.full((3, 6), 1 / 6))
    assert arrays["profile/late"][0] == pytest.approx([4 / 6, 0, 0, 0, 0, 0])  # 2 and 6 times an even map
    assert arrays["mean_map/even"][:, 0] == pytest.approx([1] * 6 + [np.nan] * 2, nan_ok=True)


def test_the_band_of_equally_long_series_contains_the_mean():
    maps = torch.rand(9, 5, 2, generator=torch.Generator().manual_seed(0))
    batch = Batch(torch.zeros(9, 5, 2), torch.zeros(9).long())
    mean, low, high = collect_arrays({"a": ExplainedModel("net", "a", maps, {}, {}, {})}, batch, SERIES, 0)["profile/a"]
    assert mean.sum() == pytest.approx(1.0)
    assert (low <= mean).all()
    assert (mean <= high).all()
