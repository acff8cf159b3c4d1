import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.timing import TIMING, _stride
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.core.random import child_seeds, uniform
from perdure.core.target import Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import perceptron, recurrent, stream
from tests.reference.temporal_loop import timing

LABEL = torch.tensor([0, 1, 2])
SEEDS = torch.tensor([4, 5, 6])
X = torch.randn(3, 6, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 3, 5])


@pytest.mark.parametrize("length", [None, (2, 3)])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_a_loop_over_nodes_and_cells_agrees(length, lengths):
    model = recurrent(pooling="mean").double()
    query = Query(model, X, Logit(LABEL), None if lengths is None else length_mask(lengths, 6), seeds=SEEDS)
    result = TIMING(11, 0.4, length, "mean").scores(query).values
    start = baseline_of("mean", query)
    draws = uniform(child_seeds(SEEDS, "segments"), (2, 4), X)
    for i, n in enumerate([6] * 3 if lengths is None else lengths.tolist()):
        turns = 1 + 3 * draws[i, 0] if length is None else 0.6 * n / (2 + draws[i, 0])
        gradient = lambda p, i=i: Query(model, p[None], Logit(LABEL[i : i + 1])).gradient(p[None])[0]  # noqa: E731
        expected = timing(gradient, X[i, :n], start[i, :n], 0.4, draws[i, 1], turns, _stride(11), 11)
        torch.testing.assert_close(result[i, :n], expected)


def test_with_all_cells_free_it_is_integrated_gradients():
    model = recurrent().double()
    expected = attribute(model, X, "integrated_gradients", target=LABEL)
    result = attribute(model, X, "timing:free=1.0", target=LABEL)
    torch.testing.assert_close(result.values, expected.values)
    assert result.provenance.backward == expected.provenance.backward
    assert result.aux["completeness_gap"].abs().max() < 1e-9


@pytest.mark.parametrize("steps", [50, 152, 301])
@pytest.mark.parametrize("features", [1, 3, 17])
def test_every_cell_is_free_at_the_requested_fraction_of_the_nodes(steps, features):
    x = torch.ones(2, steps, features)
    for free in (0.4, 0.75):
        result = attribute(lambda p: p.flatten(1).sum(1, keepdim=True), x, TIMING(free=free), target=lambda y: y[:, 0])
        assert (result.aux["free"] - free).abs().max() <= 0.02 + 1e-6


def test_segments_are_contiguous_and_of_the_requested_length():
    method = TIMING(free=0.5, length=(10, 10))
    query = Query(lambda p: p.sum(1), torch.ones(1, 60, 2), lambda y: y[:, 0], seeds=SEEDS[:1])
    free = method._free(method._phases(query), torch.arange(50))[:, 0]
    changes = (free[:, 1:] != free[:, :-1]).sum(1)
    assert ((changes >= 5) & (changes <= 6)).all()  # 60 steps in halves of 10


def test_bad_input_is_a_named_error():
    with pytest.raises(UnsupportedError, match="explains series"):
        attribute(perceptron(), torch.ones(2, 5), "timing", target=0)
    with pytest.raises(SettingError, match="series of 6 steps"):
        attribute(recurrent().double(), X, "timing:length=[2, 7]", target=0)
    for settings in ({"free": 0}, {"free": 1.2}, {"steps": 2, "free": 0.3}, {"length": (0, 3)}, {"length": (4, 3)}):
        with pytest.raises(SettingError):
            TIMING(**settings)
