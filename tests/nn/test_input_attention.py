import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.errors import EmptyDataError, LengthError, SettingError, ShapeError
from perdure.nn.input_attention import InputCellAttention
from tests.reference.input_cell_attention import input_cell_attention, sinusoidal_position

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}  # the promise; float32 is held against a float64 reference
LENGTHS = torch.tensor([50, 17, 1])

REDUCTIONS = ["mean", "matrix"]
POSITIONS = [None, "learned", "sinusoidal"]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def cell_of(reduction="mean", position=None, hops=3, attention_size=5):
    cell = InputCellAttention(4, attention_size, hops, reduction, position, max_length=60)
    cell.reset_parameters(stream())
    return cell


def series(time=50, batch=3):
    return torch.randn(batch, time, 4, generator=stream(7))


def weights_of(cell):
    return cell.input_layer.weight, cell.input_layer.bias, cell.hop_layer.weight, cell.hop_layer.bias


def position_of(cell, time):
    if cell.position == "sinusoidal":
        return sinusoidal_position(time, cell.attention_size)
    return cell.position_table


def slow(cell, x, lengths=None):
    mask = None if lengths is None else torch.arange(x.shape[1]) < lengths[:, None]
    return input_cell_attention(x, weights_of(cell), mask, position_of(cell, x.shape[1]), cell.reduction)


def with_gradients(run, cell, x, pull):
    x = x.clone().requires_grad_()
    result = run(cell, x)
    return result.detach(), *torch.autograd.grad((result * pull).sum(), (x, *cell.parameters()))


@pytest.mark.parametrize(("dtype", "scale"), [(torch.float32, 1.0), (torch.float64, 1.0), (torch.float64, 200.0)])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_equals_the_slow_loop(reduction, position, dtype, scale):
    """In float32 scores of +-200 are themselves rounded to 1e-5: the scan's own test gives it the scores."""
    cell, x = cell_of(reduction, position), series()
    with torch.no_grad():
        cell.hop_layer.weight *= scale
    pull = torch.randn(3, 50, cell.output_size, generator=stream(1))
    expected = with_gradients(lambda c, z: slow(c, z, LENGTHS), copy.deepcopy(cell).double(), x.double(), pull.double())
    ours = with_gradients(lambda c, z: c(z, LENGTHS), cell.to(dtype), x.to(dtype), pull.to(dtype))
    assert torch.count_nonzero(ours[0][1, 17:]) == 0
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("spike", [200.0, -200.0])
@pytest.mark.parametrize("place", [0, 20, 49])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_step_of_extreme_score_anywhere(reduction, place, spike):
    cell, x = cell_of(reduction).double(), series().double()
    with torch.no_grad():
        cell.hop_layer.weight.fill_(0.0)[:, 0] = spike
        cell.input_layer.weight.fill_(0.0)[0, 0] = 10.0
    x[..., 0] = 0.0
    x[:, place, 0] = 1.0
    pull = torch.randn(3, 50, cell.output_size, generator=stream(1), dtype=torch.float64)
    pairs = zip(*(with_gradients(run, cell, x, pull) for run in (InputCellAttention.__call__, slow)), strict=True)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_derivative_is_right(reduction):
    cell, x = cell_of(reduction).double(), series(42, 1).double().requires_grad_()
    assert torch.autograd.gradcheck(cell, (x,), fast_mode=True)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_more_padding_changes_nothing_whatever_it_holds(reduction, position):
    cell, x = cell_of(reduction, position), series()
    padded = torch.cat([x, torch.full((3, 9, 4), torch.nan)], 1)
    padded[1, 17:] = torch.inf
    short, long = cell(x, LENGTHS), cell(padded, LENGTHS)
    torch.testing.assert_close(long[:, :50], short, atol=1e-6, rtol=1e-6)  # chunks end elsewhere
    assert torch.count_nonzero(long[:, 50:]) == 0
    long.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in cell.parameters())


def test_lengths_of_all_steps_are_no_lengths():
    cell, x = cell_of(), series()
    assert torch.equal(cell(x, torch.full((3,), 50)), cell(x))


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_weights_match_forward(reduction, position):
    cell, x = cell_of(reduction, position), series()
    weights = cell.weights(x, LENGTHS)
    rows = torch.einsum("btih,bin->bthn", weights, x)
    average = rows.mean(2) if reduction == "mean" else rows.flatten(2)
    torch.testing.assert_close(average, cell(x, LENGTHS), atol=1e-6, rtol=1e-5)
    assert torch.count_nonzero(weights[1, 17:]) == torch.count_nonzero(weights[1, :, 17:]) == 0
    assert torch.count_nonzero(weights.triu(1)[0, :, :, 0].triu(1)) == 0


@settings(max_examples=15, deadline=None, derandomize=True)
@given(time=st.integers(1, 60), hops=st.integers(1, 4), seed=st.integers(0, 100))
def test_laws(time, hops, seed):
    cell = cell_of(hops=hops)
    cell.reset_parameters(stream(seed))
    x = torch.randn(2, time, 4, generator=stream(seed))
    torch.testing.assert_close(cell.weights(x).sum(2), torch.ones(2, time, hops))
    permuted = copy.deepcopy(cell)
    with torch.no_grad():
        permuted.hop_layer.weight.copy_(cell.hop_layer.weight.flip(0))
    torch.testing.assert_close(permuted(x), cell(x), atol=1e-6, rtol=1e-5)
    torch.nn.init.zeros_(cell.hop_layer.weight)
    running_mean = x.cumsum(1) / torch.arange(1, time + 1)[:, None]
    torch.testing.assert_close(cell(x), running_mean, atol=1e-6, rtol=1e-5)


def test_matrix_holds_one_hop_after_the_other():
    matrix, x = cell_of("matrix"), series()
    single = InputCellAttention(4, 5, 1)
    single.input_layer.load_state_dict(matrix.input_layer.state_dict())
    for hop in range(3):
        with torch.no_grad():
            single.hop_layer.weight.copy_(matrix.hop_layer.weight[hop : hop + 1])
        torch.testing.assert_close(matrix(x)[..., 4 * hop : 4 * hop + 4], single(x), atol=1e-6, rtol=1e-5)


def test_position_lets_the_score_know_when():
    """With equal inputs, content alone weighs all steps alike; a position does not."""
    x = torch.ones(1, 6, 4)
    assert torch.allclose(cell_of().weights(x)[0, 5], torch.tensor(1 / 6))
    for position in POSITIONS[1:]:
        assert cell_of(position=position).weights(x)[0, 5].std(0).min() > 0.01


@pytest.mark.parametrize("attention_size", [1, 4, 5])
def test_sinusoidal_position_is_the_table_at_any_length(attention_size):
    cell = cell_of(position="sinusoidal", attention_size=attention_size)
    torch.nn.init.zeros_(cell.input_layer.weight)
    expected = torch.tanh(sinusoidal_position(1500, attention_size).float()) @ cell.hop_layer.weight.mT
    torch.testing.assert_close(cell.scores(torch.ones(1, 1500, 4))[0], expected, atol=1e-6, rtol=1e-5)
    assert cell.position_table is None


def test_weights_are_xavier_uniform_positions_normal_and_biases_zero():
    cell = InputCellAttention(200, 100, 300, position="learned")
    cell.reset_parameters(stream())
    for layer, bound in ((cell.input_layer, (6 / 300) ** 0.5), (cell.hop_layer, (6 / 400) ** 0.5)):
        assert layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
        assert torch.count_nonzero(layer.bias) == 0
    assert cell.position_table.shape == (1024, 100)
    assert cell.position_table.std().item() == pytest.approx(1, rel=0.02)


def test_a_generator_fixes_the_weights_and_spares_the_global_state():
    before = torch.get_rng_state()
    cell = InputCellAttention(4, position="learned", max_length=9)
    torch.set_rng_state(before)
    cell.reset_parameters(stream(3))
    assert torch.equal(torch.get_rng_state(), before)
    other = copy.deepcopy(cell)
    other.reset_parameters(stream(3))
    assert all(torch.equal(a, b) for a, b in zip(cell.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("position", POSITIONS)
def test_copies_give_the_same(position):
    cell, x = cell_of(position=position), series()
    fresh = InputCellAttention(4, 5, 3, position=position, max_length=60)
    fresh.load_state_dict(cell.state_dict())
    for twin in (fresh, copy.deepcopy(cell), pickle.loads(pickle.dumps(cell))):
        assert torch.equal(twin(x, LENGTHS), cell(x, LENGTHS))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_autocast_keeps_the_type_and_nearly_the_values(reduction):
    cell, x = cell_of(reduction, "learned"), series()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = cell(x, LENGTHS)
        cast.sum().backward()
    assert cast.dtype == torch.float32
    torch.testing.assert_close(cast, cell(x, LENGTHS), atol=0.05, rtol=0.0)  # only the scores lose digits


@pytest.mark.parametrize("layer", ["input_layer", "hop_layer"])
def test_hooks_and_parametrizations_of_its_layers_are_heard(layer):
    x, plain, other = series(), cell_of(), cell_of()
    inner = getattr(other, layer)
    handle = inner.register_forward_hook(lambda _module, _inputs, output: 2 * output)
    with torch.no_grad():
        getattr(plain, layer).weight.mul_(2)
        getattr(plain, layer).bias.mul_(2)
    torch.testing.assert_close(other(x), plain(x), rtol=1e-5, atol=1e-6)
    handle.remove()
    torch.nn.utils.parametrizations.weight_norm(inner)
    torch.testing.assert_close(other(x), cell_of()(x), rtol=1e-5, atol=1e-6)


def test_repr_contains_reduction_and_position():
    assert "reduction='matrix', position='learned'" in repr(cell_of("matrix", "learned"))


@pytest.mark.parametrize(
    ("x", "lengths", "error", "message"),
    [
        (torch.zeros(3, 4), None, ShapeError, "batch, time, 4"),
        (torch.zeros(3, 5, 2), None, ShapeError, "batch, time, 4"),
        (torch.zeros(3, 0, 4), None, EmptyDataError, "at least one"),
        (torch.zeros(2, 5, 4), torch.tensor([0, 5]), LengthError, "length of sample 0 is 0"),
        (torch.zeros(2, 5, 4), torch.tensor([5, 6]), LengthError, "length of sample 1 is 6"),
        (torch.zeros(2, 61, 4), None, LengthError, "max_length"),
    ],
)
def test_unusable_inputs_are_named(x, lengths, error, message):
    with pytest.raises(error, match=message):
        cell_of(position="learned")(x, lengths)


@pytest.mark.parametrize(
    "settings",
    [{"hops": 0}, {"attention_size": 0}, {"input_size": -1}, {"reduction": "sum"}, {"position": "fixed"}],
)
def test_unusable_settings_are_named(settings):
    with pytest.raises(SettingError, match=next(iter(settings))):
        InputCellAttention(**{"input_size": 4, **settings})
