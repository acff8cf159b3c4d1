import pytest
import torch
from torch import nn

import perdure
from perdure.core.batch import Batch
from perdure.core.errors import LabelError, ShapeError
from perdure.training.predict import accuracy, errors, predict


class Mean(nn.Module):
    """Two logits: the mean over valid steps and its negative; noise in training mode."""

    def forward(self, x, lengths=None):
        count = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        mean = x.sum((1, 2)) / count + (torch.rand(len(x)) if self.training else 0)
        return torch.stack([mean, -mean], 1)


def test_lengths_reach_the_model_and_its_mode_stays():
    model = Mean().train()
    batch = Batch(torch.ones(2, 4, 1), torch.tensor([0, 1]), mask=torch.tensor([[True] * 4, [True] * 2 + [False] * 2]))
    assert predict(model, batch).tolist() == [[1.0, -1.0], [2.0, -2.0]]
    assert model.training
    assert accuracy(model, batch) == 0.5


def test_many_samples_are_cut_into_pieces_without_a_seam():
    x = torch.randn(2300, 3, 1, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(3) < (torch.arange(2300) % 3 + 1)[:, None]
    batch = Batch(x * mask[..., None], torch.zeros(2300, dtype=torch.int64), mask)
    mean = batch.inputs.sum((1, 2)) / mask.sum(1)
    assert torch.equal(predict(Mean(), batch)[:, 0], mean)
    assert accuracy(Mean(), batch) == (mean >= 0).sum().item() / 2300


def test_large_samples_go_through_in_small_pieces():
    """Ten million numbers at once: 66 images of 224x224 in three channels."""

    class Counted(Mean):
        def forward(self, x, lengths=None):
            rows.append(len(x))
            return torch.zeros(len(x), 2)

    rows = []
    image = torch.zeros(1, 3, 224, 224).expand(140, -1, -1, -1)
    assert len(predict(Counted(), Batch(image, torch.zeros(140, dtype=torch.int64)))) == 140
    assert rows == [66, 66, 8]


def test_errors_count_wrong_labels():
    assert errors(torch.eye(3), Batch(torch.zeros(3, 1), torch.tensor([0, 2, 2]))) == 1


ONE_OUTPUT = Batch(torch.tensor([[-2.0], [3.0], [0.25], [0.75]]), torch.tensor([0, 1, 1, 0]))


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (perdure.Adapted(nn.Identity(), outputs="logit"), 0.75),
        (perdure.Adapted(nn.Sigmoid(), outputs="probability"), 0.75),
    ],
)
def test_one_output_for_two_classes_predicts_both(model, expected):
    assert accuracy(model, ONE_OUTPUT) == expected


@pytest.mark.parametrize(
    "model", [perdure.Adapted(nn.Identity(), outputs="numbers"), nn.Identity()], ids=["declared", "undeclared"]
)
def test_numbers_predict_no_class(model):
    with pytest.raises(LabelError, match="Remedy"):
        accuracy(model, ONE_OUTPUT)


def test_outputs_at_every_step_predict_no_class():
    with pytest.raises(ShapeError, match="step=-1"):
        accuracy(nn.Identity(), Batch(torch.zeros(2, 3, 4), torch.tensor([0, 1])))
