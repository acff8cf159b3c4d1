"""What is said of samples, by models that always name the same class."""

import pytest
import torch
from torch import nn

from perdure.audit.samples import extent, titles
from perdure.core.batch import Batch
from perdure.stability.members import TrainedModel


class Always(nn.Module):
    def __init__(self, label):
        super().__init__()
        self.label = label

    def forward(self, x, lengths=None):
        return nn.functional.one_hot(torch.full((len(x),), self.label), 2).float()


LABEL = torch.tensor([0, 1])


def test_only_mistakes_are_told_and_of_several_models_whose_they_are():
    batch = Batch(torch.zeros(2, 3, 1), LABEL, id=("a", "b"))
    yes, no = TrainedModel("one", Always(1)), TrainedModel("other", Always(0))
    assert titles([yes], batch, ("no", "yes")) == ["a, class no, taken for yes", "b, class yes"]
    assert titles([yes, no], batch, ("no", "yes")) == [
        "a, class no, taken for yes by one",
        "b, class yes, taken for no by other",
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
def test_the_extent_is_that_of_one_sample(inputs, mask, words):
    assert extent(Batch(inputs, LABEL, mask)) == words
