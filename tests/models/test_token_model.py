"""Unmodified models of token ids, evaluated at embeddings."""

import copy
import pickle

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.errors import PaddingWarning, PartialInputWarning, UnsupportedError
from perdure.models._adapted import unwrap
from perdure.models._embed import embed_batch
from perdure.models._outputs import check_model
from perdure.models._token_model import TokenModel
from perdure.ops.sequence import length_mask
from tests.cases import stream

IDS = torch.tensor([[3, 5, 2, 4], [2, 3, 0, 0]])
LENGTHS = torch.tensor([4, 2])
BATCH = Batch(IDS, torch.tensor([0, 1]), length_mask(LENGTHS, 4))


class Reader(nn.Module):
    """Sums embeddings of tokens and positions over all but padding, which it finds by id."""

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
    check_model(model, BATCH, 2)
    for lengths in (None, LENGTHS):
        assert torch.equal(model(embed_batch(model, BATCH).inputs, LENGTHS), model(IDS, lengths))
    assert unwrap(model) is model.model
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(other(model.embed(IDS), LENGTHS), model(IDS, LENGTHS))


def test_the_layer_gives_its_own_embeddings_again_afterwards():
    model = TokenModel(Reader(), embedding="words")
    before = model(IDS)
    model(torch.zeros(2, 4, 3), token_ids=IDS)
    assert torch.equal(model(IDS), before)


def test_the_gradient_is_that_by_the_embeddings_and_padding_gets_none():
    model = TokenModel(nn.Sequential(nn.Embedding(6, 3), nn.Flatten(), nn.Linear(12, 2)))
    texts = embed_batch(model, BATCH)
    values = attribute(model, texts.inputs, "gradient", target=texts.label).values
    assert torch.equal(values.flatten(1), model.model[2].weight[texts.label])
    reader = TokenModel(Reader(padding_idx=0), embedding="words")
    texts = embed_batch(reader, BATCH)
    values = attribute(reader, texts.inputs, "gradient", target=texts.label, lengths=LENGTHS).values
    assert values[0].any()
    assert not values[1, 2:].any()


def test_an_ambiguous_layer_is_an_error():
    with pytest.raises(UnsupportedError, match=r"2 layers of embeddings: words, places.*embedding='words'"):
        TokenModel(Reader())
    with pytest.raises(UnsupportedError, match="Linear embeds nothing"):
        TokenModel(nn.Linear(2, 2))
    with pytest.raises(UnsupportedError, match=r"no nn.Embedding called 'word'.*'words', 'places'"):
        TokenModel(Reader(), embedding="word")
    places = TokenModel(Reader(), embedding="places")
    with pytest.raises(UnsupportedError, match=r"Reader does not look its token ids up in 'places'"):
        places(torch.zeros(2, 4, 3))
    with pytest.raises(UnsupportedError, match=r"Flatten cannot be called with.*perdure.TokenModel\(model\)"):
        embed_batch(nn.Flatten(), BATCH)


class Pooled(nn.Module):
    """Reads a text by a recurrence and classifies it at a place that it finds by the ids."""

    def __init__(self, place, **embedding):
        super().__init__()
        self.words, self.place = nn.Embedding(30, 4, **embedding), place
        self.recurrence, self.head = nn.GRU(4, 4, batch_first=True), nn.Linear(4, 2)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.7, generator=stream())

    def forward(self, ids):
        return self.head(self.recurrence(self.words(ids))[0][torch.arange(len(ids)), self.place(ids)])


class Weighted(nn.Module):
    """Sums embeddings, each times a number by the id of its token."""

    def __init__(self, total, **embedding):
        super().__init__()
        self.words, self.total, self.head = nn.Embedding(30, 4, **embedding), total, nn.Linear(4, 2)
        self.register_buffer("weight", torch.rand(30, generator=stream(1)))
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.7, generator=stream())

    def forward(self, ids):
        return self.head(self.total(self, ids))


TEXTS = torch.tensor([[5, 6, 29, 0, 0], [7, 8, 9, 4, 29], [29, 0, 0, 0, 0], [5, 5, 29, 5, 0]])
READERS = {
    "end of text": lambda: Pooled(lambda ids: ids.argmax(1)),
    "last that is no padding": lambda: Pooled(lambda ids: (ids != 0).sum(1) - 1),
    "last, padding by index": lambda: Pooled(lambda ids: (ids != 0).long().cumsum(1).argmax(1), padding_idx=0),
    "weights by id": lambda: Weighted(lambda m, ids: (m.words(ids) * m.weight[ids][..., None]).sum(1)),
    "mean without padding": lambda: Weighted(lambda m, ids: (m.words(ids) * (ids != 0)[..., None]).mean(1)),
    "masked ids": lambda: Weighted(lambda m, ids: m.words(ids.masked_fill(ids == 5, 3)).sum(1)),
    "shifted by one": lambda: Weighted(lambda m, ids: (m.words(_shift(ids)) * m.words(ids)).sum(1)),
    "read both ways": lambda: Weighted(lambda m, ids: m.words(ids).mean(1) * m.words(ids.flip(1))[:, 0]),
    "in two parts": lambda: Weighted(lambda m, ids: m.words(ids[:, :2]).mean(1) * m.words(ids[:, 2:]).mean(1)),
    "a first token": lambda: Weighted(lambda m, ids: m.words(torch.cat([ids[:, :1] * 0 + 2, ids], 1)).tanh().mean(1)),
    "time first": lambda: Weighted(lambda m, ids: m.words(ids.t()).tanh().sum(0)),
    "padded further": lambda: Weighted(lambda m, ids: m.words(nn.functional.pad(ids, (0, 2), value=3)).tanh().sum(1)),
    "only those at odd places": lambda: Weighted(lambda m, ids: m.words(ids[:, torch.tensor([1, 3])]).sum(1)),
}


def _shift(ids):
    moved = ids.new_zeros(ids.shape)
    moved[:, 1:] = ids[:, :-1]
    return moved


@pytest.mark.parametrize("name", READERS)
def test_a_model_that_reads_the_ids_gives_the_same_from_embeddings(name):
    reader = READERS[name]().eval()
    model = TokenModel(reader)
    embeddings = model.embed(TEXTS)
    model.embed(TEXTS.flip(0))
    torch.testing.assert_close(model(embeddings), reader(TEXTS))
    order = torch.tensor([3, 1, 0, 2, 1])
    for values in (embeddings.detach(), embeddings.clone(), embeddings.double().float()):
        torch.testing.assert_close(model(values[order]), reader(TEXTS[order]))
        torch.testing.assert_close(model(values[1:2]), reader(TEXTS[1:2]))
        torch.testing.assert_close(model(torch.cat([values[2:], values[:1]])), reader(TEXTS[[2, 3, 0]]))


@pytest.mark.parametrize("name", READERS)
def test_the_map_sums_to_the_change_of_the_logit_of_each_text(name):
    model = TokenModel(READERS[name]().eval())
    embeddings = model.embed(TEXTS).detach()
    zero = model(torch.zeros_like(embeddings), token_ids=TEXTS)
    gain = (model(TEXTS) - zero)[:, 1]
    values = attribute(model, embeddings, "integrated_gradients:steps=300", target=1, batch_size=3).values
    torch.testing.assert_close(values.flatten(1).sum(1), gain, atol=2e-3, rtol=1e-2)


def test_a_model_that_only_looks_ids_up_takes_any_embeddings():
    model = TokenModel(Weighted(lambda m, ids: m.words(ids).tanh().sum(1)))
    points = torch.randn(2, 5, 4, generator=stream())
    expected = model.model.head(points.tanh().sum(1))
    torch.testing.assert_close(model(points), expected)
    attribute(model, points, "gradient", target=1)


def test_embeddings_of_no_token_are_refused_where_the_ids_matter():
    model = TokenModel(READERS["end of text"]().eval())
    for call in (model, lambda x: attribute(model, x, "gradient", target=1)):
        with pytest.raises(UnsupportedError, match=r"Pooled reads the token ids.*model.embed\(ids\)"):
            call(model.embed(TEXTS).detach() + 0.5)


def test_tokens_with_equal_embeddings_are_known_apart_by_what_was_embedded():
    reader = READERS["last that is no padding"]().eval()
    with torch.no_grad():
        reader.words.weight[[0, 7]] = 0.0
    model = TokenModel(reader)
    texts = torch.tensor([[5, 7, 0], [7, 0, 0]])
    embeddings = model.embed(texts).detach()
    assert torch.equal(model(embeddings.flip(0)), reader(texts.flip(0)))
    model.embed(torch.tensor([[5, 0, 0], [2, 7, 7]]))
    assert torch.equal(model(embeddings[1:]), reader(texts[1:]))
    with pytest.raises(UnsupportedError, match="those of several tokens"):
        model(embeddings)


@pytest.mark.parametrize(
    "total",
    [
        lambda m, ids: nn.functional.embedding(ids, m.words.weight).sum(1),
        lambda m, ids: m.words.weight[ids].sum(1),
        lambda m, ids: m.words(ids).sum(1) + m.words.weight.index_select(0, ids.flatten()).view(*ids.shape, 4).sum(1),
    ],
)
def test_weights_that_are_looked_up_past_the_layer_are_refused(total):
    model = TokenModel(Weighted(total))
    with pytest.raises(UnsupportedError, match="in the weights of 'words' without calling this layer"):
        attribute(model, model.embed(TEXTS).detach(), "gradient", target=1)


@pytest.mark.parametrize(
    "compute", [lambda ids: ids.sort(1)[0], lambda ids: ids.float().long(), lambda ids: ids[:, :1] + 1]
)
def test_ids_that_the_model_computes_are_refused(compute):
    model = TokenModel(Weighted(lambda m, ids: m.words(compute(ids)).sum(1)))
    with pytest.raises(UnsupportedError, match="'words'"):
        attribute(model, model.embed(TEXTS).detach(), "gradient", target=1)


def test_a_second_table_of_the_ids_is_named():
    reader = Weighted(lambda m, ids: (m.words(ids) * m.more(ids)).sum(1))
    reader.more = nn.Embedding(30, 4)
    model = TokenModel(reader, embedding="words")
    with pytest.warns(PartialInputWarning, match=r"'more\.weight' too; the map explains only 'words'"):
        attribute(model, model.embed(TEXTS).detach(), "gradient", target=1)


def test_padding_that_is_found_by_ids_is_no_padding_read_as_data(recwarn):
    model = TokenModel(READERS["last that is no padding"]().eval())
    attribute(model, model.embed(TEXTS).detach(), "gradient", target=1, lengths=(TEXTS != 0).sum(1))
    assert not [warning for warning in recwarn if warning.category is PaddingWarning]
    reads = TokenModel(Pooled(lambda ids: torch.full((len(ids),), -1)))
    with pytest.warns(PaddingWarning):
        attribute(reads, reads.embed(TEXTS).detach(), "gradient", target=1, lengths=(TEXTS != 0).sum(1))


def test_half_and_double_models_find_their_ids():
    for dtype in (torch.float64, torch.bfloat16):
        reader = READERS["end of text"]().eval().to(dtype)
        model = TokenModel(reader)
        torch.testing.assert_close(model(model.embed(TEXTS)), reader(TEXTS))


def test_the_layer_of_tokens_of_a_model_of_transformers_is_found():
    reader = Reader()
    reader.get_input_embeddings = lambda: reader.words
    assert TokenModel(reader).embedding == "words"


def test_a_model_that_takes_a_mask_but_reads_padding_is_named():
    class Padded(Pooled):
        def forward(self, ids, attention_mask=None):
            return super().forward(ids)

    model = TokenModel(Padded(lambda ids: torch.full((len(ids),), -1)))
    with pytest.warns(PaddingWarning, match="Padded computes other outputs for a text with padding after it"):
        attribute(model, model.embed(TEXTS).detach(), "gradient", target=1, lengths=(TEXTS != 0).sum(1))
