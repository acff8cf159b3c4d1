"""Models of token ids that nobody has rewritten, asked by embeddings."""

import copy
import pickle

import pytest
import torch
from torch import nn

from perdure.attribution.attribute import attribute
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.models.adapted import bare
from perdure.models.answers import check_answers
from perdure.models.embedded import embedded
from perdure.models.token_model import TokenModel
from perdure.ops.sequence import length_mask
from tests.cases import stream

IDS = torch.tensor([[3, 5, 2, 4], [2, 3, 0, 0]])
LENGTHS = torch.tensor([4, 2])
BATCH = Batch(IDS, torch.tensor([0, 1]), length_mask(LENGTHS, 4))


class Reader(nn.Module):
    """Sums what it knows of tokens and their places over all that is no padding, which it finds by id."""

    def __init__(self, **padding):
        super().__init__()
        self.words, self.places = nn.Embedding(6, 3, **padding), nn.Embedding(8, 3)
        self.head = nn.Linear(3, 2)
        for weight in self.parameters():
            nn.init.normal_(weight, generator=stream())

    def forward(self, ids, attention_mask=None):
        seen = self.words(ids) * self.places(torch.arange(ids.shape[1]))
        valid = ids != 0 if attention_mask is None else attention_mask == 1
        return {"logits": self.head((seen * valid[..., None]).tanh().sum(1))}


def test_embeddings_give_the_logits_of_their_ids_with_and_without_padding():
    model = TokenModel(Reader(padding_idx=0), embedding="words")
    check_answers(model, BATCH, 2)
    for lengths in (None, LENGTHS):
        assert torch.equal(model(embedded(model, BATCH).inputs, LENGTHS), model(IDS, lengths))
    assert bare(model) is model.model
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(model.embed(IDS), LENGTHS), model(IDS, LENGTHS))


def test_the_layer_gives_its_own_embeddings_again_afterwards():
    model = TokenModel(Reader(), embedding="words")
    before = model(IDS)
    model(torch.zeros(2, 4, 3))
    assert torch.equal(model(IDS), before)


def test_the_gradient_is_that_by_the_embeddings_and_padding_gets_none():
    model = TokenModel(nn.Sequential(nn.Embedding(6, 3), nn.Flatten(), nn.Linear(12, 2)))
    texts = embedded(model, BATCH)
    values = attribute(model, texts.inputs, "gradient", target=texts.label).values
    assert torch.equal(values.flatten(1), model.model[2].weight[texts.label])
    reader = TokenModel(Reader(padding_idx=0), embedding="words")
    texts = embedded(reader, BATCH)
    values = attribute(reader, texts.inputs, "gradient", target=texts.label, lengths=LENGTHS).values
    assert values[0].any()
    assert not values[1, 2:].any()


def test_what_cannot_be_told_is_named():
    with pytest.raises(UnsupportedError, match=r"2 layers of embeddings: words, places.*embedding='words'"):
        TokenModel(Reader())
    with pytest.raises(UnsupportedError, match="Linear embeds nothing"):
        TokenModel(nn.Linear(2, 2))
    with pytest.raises(UnsupportedError, match=r"no nn.Embedding called 'word'.*'words', 'places'"):
        TokenModel(Reader(), embedding="word")
    places = TokenModel(Reader(), embedding="places")
    with pytest.raises(UnsupportedError, match=r"asked for shape \(4, 3\), the inputs have \(2, 4, 3\)"):
        places(torch.zeros(2, 4, 3))
    with pytest.raises(UnsupportedError, match=r"Flatten cannot be asked by.*perdure.TokenModel\(model\)"):
        embedded(nn.Flatten(), BATCH)
