import torch
from torch import nn

from perdure.core.batch import Batch
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
