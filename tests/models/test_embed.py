import pytest
import torch
from torch import nn

from perdure.core.batch import Batch, Text
from perdure.core.errors import UnsupportedError
from perdure.models._embed import embed_batch
from perdure.models.deep_lstm import DeepLSTM

IDS = torch.tensor([[2, 3, 1], [4, 2, 3]])
TEXT = (Text("a b", ((0, 1), (2, 3))), Text("c a b", ((0, 1), (2, 3), (4, 5))))
BATCH = Batch(IDS, torch.tensor([0, 1]), IDS != 1, IDS == 2, id=("x", "y"), text=TEXT)


def model():
    return DeepLSTM(4, 5, 2).build(6, 2, torch.Generator().manual_seed(0))


def test_embeddings_take_the_place_of_ids_and_all_else_stays():
    network = model()
    result = embed_batch(network, BATCH)
    assert result.inputs.equal(network.embedding.weight[IDS])
    assert not result.inputs.requires_grad
    assert result.truth.equal((IDS == 2)[..., None].expand(2, 3, 4))
    assert (result.id, result.text, result.label is BATCH.label, result.mask is BATCH.mask) == (
        BATCH.id,
        TEXT,
        True,
        True,
    )


def test_floats_are_left_alone():
    batch = Batch(torch.zeros(2, 3, 4), torch.tensor([0, 1]))
    assert embed_batch(nn.Flatten(), batch) is batch


def test_a_model_that_cannot_embed_is_named():
    with pytest.raises(UnsupportedError, match="Flatten cannot be called with their embeddings"):
        embed_batch(nn.Flatten(), BATCH)
