"""Training on a label for each step."""

import pytest
import torch
from torch import nn

import perdure
from perdure.core.batch import Batch
from perdure.core.errors import LabelError
from perdure.training.batches import shuffle_batches
from perdure.training.loop import fit
from perdure.training.predict import accuracy, count_labels, errors
from perdure.training.settings import Training


class AtEachStep(nn.Module):
    """A recurrent network with two logits at each step."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.random.manual_seed(0)
            self.cell, self.head = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x, lengths=None):
        return self.head(self.cell(x)[0])


def make_ragged():
    """Labels that are the sign of the first feature; those of padded steps are wrong."""
    x = torch.randn(30, 5, 3, generator=torch.Generator().manual_seed(1))
    mask = torch.arange(5) < (torch.arange(30) % 5 + 1)[:, None]
    label = (x[..., 0] > 0).long()
    return Batch(x, torch.where(mask, label, 1 - label), mask)


class Sign(nn.Module):
    def forward(self, x, lengths=None):
        return torch.stack([-x[..., 0], x[..., 0]], -1)


def test_only_valid_steps_are_counted():
    batch = make_ragged()
    assert count_labels(batch) == int(batch.mask.sum()) == 90
    assert errors(Sign()(batch.inputs), batch) == 0
    assert accuracy(Sign(), batch) == 1.0
    assert accuracy(Sign(), Batch(batch.inputs, batch.label)) == 90 / 150


def test_a_recurrent_network_learns_the_labels_of_all_steps():
    batch = make_ragged()
    settings = Training(epochs=25, learning_rate=0.05, min_steps=1)
    fitted = fit(AtEachStep(), shuffle_batches(batch, 10), batch, settings, torch.Generator().manual_seed(0))
    assert fitted.history[fitted.best].validation_accuracy > 0.9
    assert accuracy(fitted.model, batch) == pytest.approx(fitted.history[fitted.best].validation_accuracy)


def test_a_model_with_one_output_is_named():
    splits = perdure.data.State(train=8, validation=4, test=4, task="steps").load(0)
    with pytest.raises(LabelError, match=r"labels have shape \(\d+, 200\).*outputs at each step"):
        perdure.train("recurrent", splits, epochs=1)
