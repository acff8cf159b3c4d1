import copy
import dataclasses
import pickle

import pytest
import torch

from perdure.core.abilities import HasAttention, Resumable
from perdure.core.errors import LengthError, SettingError, ShapeError
from perdure.core.query import Query
from perdure.models._presets import PRESETS
from perdure.models.recurrent import Recurrent
from tests.reference import recurrent_pooling as slow

LENGTHS = torch.tensor([12, 7, 1, 12])
SMALL = {
    name: dataclasses.replace(config, hidden_size=6, attention_size=5, hops=3) for name, config in PRESETS.items()
} | {
    "matrix": Recurrent(hidden_size=6, attention_size=5, hops=3, input_attention="matrix", position="learned"),
    "deep_both_ways": Recurrent(cell="gru", hidden_size=6, layers=2, bidirectional=True, pooling="mean"),
}

every_model = pytest.mark.parametrize("name", SMALL)
every_resumable = pytest.mark.parametrize(
    "config",
    [
        Recurrent(cell=cell, hidden_size=6, layers=layers, pooling=pooling)
        for cell in ("rnn", "gru", "lstm")
        for layers in (1, 2)
        for pooling in ("last", "mean", "max")
    ],
    ids=str,
)


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def build(config):
    return config.build(3, 2, stream()).eval()


def series(time=12):
    return torch.randn(4, time, 3, generator=stream(5))


@every_model
def test_a_batch_is_a_loop_over_unpadded_samples(name):
    model, x = build(SMALL[name]), series()
    alone = torch.cat([model(x[i : i + 1, :n]) for i, n in enumerate(LENGTHS)])
    assert alone.shape == (4, 2)
    torch.testing.assert_close(model(x, LENGTHS), alone, atol=1e-6, rtol=1e-5)


@every_model
def test_more_padding_changes_nothing_whatever_it_holds(name):
    model, x = build(SMALL[name]), series()
    padded = torch.cat([x, torch.full((4, 5, 3), torch.nan)], 1)
    padded[1, 7:] = torch.inf
    logits = model(padded, LENGTHS)
    torch.testing.assert_close(logits, model(x, LENGTHS), atol=1e-6, rtol=1e-6)
    logits.sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in model.parameters())


@every_model
def test_evaluation_is_deterministic_and_training_drops(name):
    model, x = build(dataclasses.replace(SMALL[name], input_dropout=0.5, output_dropout=0.5)), series()
    assert torch.equal(model(x), model(x))
    model.train()
    assert not torch.equal(model(x), model(x))


@every_model
def test_gradients_reach_all_weights(name):
    """All but a bias that cancels in the softmax, and the memory of a backward half that reads one step."""
    model = build(SMALL[name]).double()
    (model(series().double(), LENGTHS) * torch.tensor([1.0, -2.0])).sum().backward()
    unreached = {key for key, weight in model.named_parameters() if weight.grad.abs().max() < 1e-12}
    excused = {"bi_lstm": {"recurrence.back.0.weight_hh_l0"}}
    assert unreached <= excused.get(name, {"input_attention.hop_layer.bias"})


@every_model
def test_the_generator_alone_fixes_the_weights(name):
    before = torch.get_rng_state()
    first, same, other = (SMALL[name].build(3, 2, stream(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first.state_dict()[key], value) for key, value in same.state_dict().items())
    unmoved = {key for key, value in other.state_dict().items() if torch.equal(first.state_dict()[key], value)}
    assert unmoved <= {"input_attention.input_layer.bias", "input_attention.hop_layer.bias"}
    assert first.training


def test_weights_are_drawn_as_torch_draws_them():
    model = Recurrent(hidden_size=100).build(25, 50, stream())
    for weight in model.parameters():
        assert weight.abs().max() <= 0.1
        assert weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.15)


@every_model
def test_copies_give_the_same(name):
    model, x = build(SMALL[name]), series()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(x, LENGTHS), model(x, LENGTHS))


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_classifies_like_a_loop_over_steps(cell, pooling):
    model, x = build(Recurrent(cell=cell, hidden_size=6, layers=2, pooling=pooling)), series()
    pooled = [
        slow.pool(pooling, slow.run_steps(model.recurrence, series[:n])) for series, n in zip(x, LENGTHS, strict=True)
    ]
    torch.testing.assert_close(model(x, LENGTHS), model.head(torch.stack(pooled)), atol=1e-6, rtol=1e-5)


def test_attention_of_self_attention_is_that_of_its_pooling():
    model, x = build(SMALL["lstm_self_attention"]), series()
    attention = model.attention(x, LENGTHS)
    torch.testing.assert_close(attention.sum(1), torch.ones(4))
    assert torch.count_nonzero(attention[torch.arange(12) >= LENGTHS[:, None]]) == 0
    outputs, _ = model.recurrence(x)
    torch.testing.assert_close(attention[0], model.self_attention.weights(outputs)[0].mean(1))


@pytest.mark.parametrize("name", ["lstm_input_cell_attention", "lstm_positional_input_cell_attention", "matrix"])
def test_attention_of_the_input_cell_is_the_row_of_the_last_valid_step(name):
    model, x = build(SMALL[name]), series()
    rows = model.input_attention.weights(x, LENGTHS)[torch.arange(4), LENGTHS - 1]
    torch.testing.assert_close(model.attention(x, LENGTHS), rows.mean(-1))
    assert isinstance(model, HasAttention)


def test_without_attention_there_is_none():
    for config in (Recurrent(), Recurrent(input_attention="mean", pooling="mean")):
        assert build(config).attention(series()) is None


@every_resumable
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["whole", "padded"])
def test_resuming_from_a_state_equals_a_full_run(config, lengths):
    model, x, starts = build(config), series(), [0, 3, 3, 7, 11]
    assert model.resumable
    states = model.prefix_states(x, starts, lengths)
    for start, state in zip(starts, states, strict=True):
        tails = torch.randn(5, 4, 12 - start, 3, generator=stream(start))
        full = [model(torch.cat([x[:, :start], tail], 1), lengths) for tail in tails]
        torch.testing.assert_close(model.resume(state, tails), torch.stack(full), atol=1e-6, rtol=1e-6)


def test_a_change_behind_the_end_of_a_sample_does_not_reach_it():
    model, x = build(Recurrent(hidden_size=6, pooling="max")), series()
    (state,) = model.prefix_states(x, [7], LENGTHS)
    changed = model.resume(state, 9 + torch.zeros(1, 4, 5, 3))[0]
    moved = (changed - model(x, LENGTHS)).abs().amax(1) > 1e-3
    assert moved.tolist() == [True, False, False, True]


def test_a_query_resumes_from_a_state():
    model, x = build(SMALL["lstm"]), series()
    query = Query(model, x, lambda logits: logits[:, 1], torch.arange(12) < LENGTHS[:, None])
    (state,) = query.states([4])
    torch.testing.assert_close(query.value_from(state, x[None, :, 4:])[0], query.value(x), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "resumable"),
    [
        ("lstm", True),
        ("lstm_max_pooling", True),
        ("bi_lstm", False),
        ("lstm_self_attention", False),
        ("lstm_input_cell_attention", False),
    ],
)
def test_only_causal_models_resume(name, resumable):
    model = build(SMALL[name])
    assert isinstance(model, Resumable)
    assert model.resumable is resumable


@pytest.mark.parametrize(
    ("x", "lengths", "error", "message"),
    [
        (torch.zeros(4, 3), None, ShapeError, "batch, time, 3"),
        (torch.zeros(4, 5, 2), None, ShapeError, "batch, time, 3"),
        (torch.zeros(2, 5, 3), torch.tensor([0, 5]), LengthError, "length of sample 0 is 0"),
        (torch.zeros(2, 5, 3), torch.tensor([5, 6]), LengthError, "length of sample 1 is 6"),
    ],
)
@pytest.mark.parametrize("name", ["lstm", "bi_lstm"])
def test_unusable_inputs_are_named(name, x, lengths, error, message):
    model = build(SMALL[name])
    with pytest.raises(error, match=message):
        model(x, lengths)
    with pytest.raises(error, match=message):
        model.prefix_states(x, [0], lengths)


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "tcn"},
        {"pooling": "sum"},
        {"input_attention": "sum"},
        {"position": "fixed"},
        {"layers": 0},
        {"hops": 0},
        {"output_dropout": 1.0},
        {"position": "learned"},
    ],
    ids=str,
)
def test_unusable_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        Recurrent(**settings)


def test_a_network_has_features_and_classes():
    with pytest.raises(SettingError, match="classes is 0"):
        Recurrent().build(3, 0, stream())


def test_networks_with_a_single_lstm_can_be_stacked():
    stackable = {name for name, config in PRESETS.items() if config.stackable}
    assert stackable == {"lstm", "bi_lstm", "lstm_mean_pooling", "lstm_max_pooling", "lstm_self_attention"}
    assert not Recurrent(layers=2).stackable
    assert not Recurrent(bidirectional=True, pooling="mean").stackable


@pytest.mark.parametrize("name", [name for name, config in SMALL.items() if config.stackable])
@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["full", "padded"])
def test_the_parts_of_a_stackable_network_give_the_whole(name, lengths):
    model, x = build(SMALL[name]), series()
    read, mask = model.read(x, lengths)
    assert torch.equal(model.finish(read, model.lstm(read)[0], mask), model(x, lengths))
