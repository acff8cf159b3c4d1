"""Titles and sizes of samples, by models that always predict the same class."""

import pytest
import torch
from torch import nn

from perdure.audit.samples import describe_size, title_samples
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
