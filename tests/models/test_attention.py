from dataclasses import replace

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.abilities import HasAttention
from perdure.core.errors import LengthError, SettingError, ShapeError
from perdure.data.planted_events import PlantedEvents
from perdure.models._presets import model_config
from perdure.models.attention import AMAZON, IMDB, Attention
from perdure.training.predict import accuracy
from perdure.training.settings import Training
from perdure.training.train import train
from tests.models.networks import count, on_meta
from tests.reference.attention_loop import attend

LENGTHS = torch.tensor([7, 3, 1, 5])
DEEP = Attention(4, (6, 5, 3), normalise=True, dropout=0.2)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


X = torch.randn(4, 7, 3, generator=stream(1))


def second_biases(config):
    """Keras has one bias for each gate, torch has two."""
    return sum(4 * width for width in (*config.hidden_sizes, config.hidden_sizes[-1]))


def dead_kernel(config):
    """The published decoder has weights for two inputs that are always zero."""
    return 2 * 4 * config.hidden_sizes[-1]


def running(model):
    return sum(value.numel() for name, value in model.named_buffers() if "running" in name)


@pytest.mark.parametrize(("config", "published", "fixed"), [(IMDB, 278_838, 840), (AMAZON, 312_566, 712)])
def test_the_published_networks_have_the_published_size(config, published, fixed):
    model = on_meta(lambda: config._network(1024, 2))
    assert running(model) == fixed
    assert count(model) + fixed - second_biases(config) + dead_kernel(config) == published


@pytest.mark.parametrize("config", [Attention(4, (5,)), DEEP])
def test_it_is_the_published_formula(config):
    model = config.build(3, 2, stream()).eval()
    encoded = model.encode(X, LENGTHS)
    weights, logits = model.attention(X, LENGTHS), model(X, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        result = attend(model.score, encoded.steps[row, :length], encoded.output[row])
        expected = torch.stack([result[j] for j in range(length)])
        torch.testing.assert_close(weights[row, :length], expected)
        context = expected @ encoded.steps[row, :length]
        gates = model.decoder.weight_ih @ context + model.decoder.bias_ih
        gates = gates + model.decoder.weight_hh @ encoded.output[row] + model.decoder.bias_hh
        i, f, g, o = gates.chunk(4)
        cell = f.sigmoid() * encoded.cell[row] + i.sigmoid() * g.tanh()
        torch.testing.assert_close(logits[row], model.head(o.sigmoid() * cell.tanh()))
    assert (weights[torch.arange(7) >= LENGTHS[:, None]] == 0).all()


@pytest.mark.parametrize("training", [False, True])
def test_values_after_the_end_have_no_effect(training):
    """In training as well: padded steps go into no statistic of the batch."""
    config = Attention(4, (6, 5, 3), normalise=True)
    model, longer = config.build(3, 2, stream()).train(training), torch.cat([X, X], 1)
    torch.testing.assert_close(model(longer, lengths=LENGTHS), model(X, lengths=LENGTHS))


def test_a_batch_is_its_samples():
    model = DEEP.build(3, 2, stream()).eval()
    one_by_one = [model(x[None, :length]) for x, length in zip(X, LENGTHS, strict=True)]
    torch.testing.assert_close(model(X, lengths=LENGTHS), torch.cat(one_by_one))


def test_event_types_are_not_read():
    model = Attention(4, (5,), types=1).build(3, 2, stream()).eval()
    other = torch.cat([X[..., :2], X[..., 2:] + 1], 2)
    assert torch.equal(model(X), model(other))
    assert model.encoder.dense.in_features == 2


def test_normalisation_follows_the_training_samples():
    """A batch in training has mean 0 and standard deviation 1 over its valid steps where the first LSTM reads."""
    encoder = DEEP.build(3, 2, stream()).encoder
    mask = torch.arange(7) < LENGTHS[:, None]
    read = encoder.between[0](encoder.dense(X), mask)
    torch.testing.assert_close(read[mask].mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(read[mask].var(0, unbiased=False), torch.ones(4), atol=0.02, rtol=0)
    assert (read[~mask] == 0).all()


def test_weights_follow_from_the_generator_alone_and_forget_gates_start_open():
    before = torch.get_rng_state()
    a, b, c = (DEEP.build(3, 2, stream(seed)).state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["decoder.weight_ih"], c["decoder.weight_ih"])
    assert a["decoder.bias_ih"].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    torch.testing.assert_close(a["decoder.weight_hh"].T @ a["decoder.weight_hh"], torch.eye(3))


def test_its_attention_can_be_explained():
    model = Attention(4, (5,)).build(3, 2, stream())
    assert isinstance(model, HasAttention)
    result = attribute(model, X, "attention", target=torch.tensor([0, 1, 0, 1]), lengths=LENGTHS)
    torch.testing.assert_close(result.values.sum((1, 2)), torch.ones(4))


def test_it_learns_planted_events():
    splits = PlantedEvents(train=200, validation=50, test=100, shortest=6, longest=8).load(0)
    fitted = train(Attention(8, (8,)), splits, Training(epochs=12, batch_size=20, learning_rate=0.02), 0)
    assert accuracy(fitted.model, splits.test) > 0.95


def test_names_settings_and_inputs_that_cannot_be_used_are_named():
    assert model_config("attention:hidden_sizes=[8, 4]") == Attention(hidden_sizes=(8, 4))
    assert model_config("attention_imdb:types=2538") == replace(IMDB, types=2538)
    with pytest.raises(SettingError, match="hidden_sizes is 0"):
        Attention(hidden_sizes=())
    with pytest.raises(SettingError, match="dropout is 1"):
        Attention(dropout=1.0)
    with pytest.raises(SettingError, match="types is -1"):
        Attention(types=-1)
    with pytest.raises(ShapeError, match="a step has 3 features, of which 3 are to be event types"):
        Attention(types=3).build(3, 2, stream())
    with pytest.raises(ShapeError, match=r"pass \(batch, time, 3\)"):
        DEEP.build(3, 2, stream())(X[..., :2])
    with pytest.raises(LengthError, match="the length of sample 1 is 0"):
        DEEP.build(3, 2, stream())(X, lengths=torch.tensor([7, 0, 1, 5]))
