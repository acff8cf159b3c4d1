import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.fit import FIT
from perdure.attribution.winit import WinIT
from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError, UnsupportedError
from perdure.core.query import Query
from perdure.core.random import child_seeds, uniform
from perdure.core.registry import METHODS
from perdure.core.target import AtStep, Logit
from perdure.ops.sequence import length_mask
from tests.cases import Opaque, perceptron, recurrent, stream
from tests.reference.temporal_loop import fit, winit

LABEL = torch.tensor([0, 1, 2])
SEEDS = torch.tensor([4, 5, 6])
X = torch.randn(3, 6, 3, generator=stream(), dtype=torch.float64)
OTHER = torch.randn(5, 6, 3, generator=stream(1), dtype=torch.float64)
LENGTHS = torch.tensor([6, 2, 4])


def replacements_of(x, background, draws, seed):
    """Carry the value before the window forward, or take the draws that the method takes."""
    if background is None:
        return lambda first, last: [(x[first - 1] if first else x.mean(0)).expand(last - first + 1, 3)]
    rows = background.reshape(-1, 3)
    place = uniform(child_seeds(seed[None], "counterfactuals"), (6, draws, 3), x)[0] * len(rows)
    drawn = rows[place.long(), torch.arange(3)]
    return lambda first, last: [drawn[first : last + 1, k] for k in range(draws)]


@pytest.mark.parametrize("background", [None, OTHER])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("make", [lambda: recurrent(features=3, cell="gru"), lambda: Opaque(features=3).eval()])
def test_loops_over_predictions_steps_features_and_draws_agree(background, lengths, make):
    model = make().double().requires_grad_(False)
    query = Query(model, X, Logit(LABEL), None if lengths is None else length_mask(lengths, 6), seeds=SEEDS)
    windows = WinIT(window=4, background=background).scores(query)
    steps = FIT(draws=2, background=background).scores(query)
    predict = lambda p: model(p[None])[0].softmax(0)  # noqa: E731
    for i, n in enumerate([6] * 3 if lengths is None else lengths.tolist()):
        x = X[i, :n]
        expected = winit(predict, x, replacements_of(x, background, 3, SEEDS[i]), 4)
        torch.testing.assert_close(windows.aux["importance"][i, :n], expected)
        count = (n - torch.arange(n)).clamp_max(4)
        torch.testing.assert_close(windows.values[i, :n], expected.sum(1) / count[:, None])
        torch.testing.assert_close(steps[i, :n], fit(predict, x, replacements_of(x, background, 2, SEEDS[i])))


@pytest.mark.parametrize("distance", ["kl", "js"])
@pytest.mark.parametrize("reduction", ["max", "largest"])
def test_other_distances_and_reductions(distance, reduction):
    model = recurrent(features=3).double()
    made = attribute(model, X, WinIT(3, distance, reduction), target=LABEL, lengths=LENGTHS)
    importance = made.aux["importance"]
    for i, n in enumerate(LENGTHS.tolist()):
        for s in range(n):
            part = importance[i, s, : n - s]
            best = part.amax(0) if reduction == "max" else part.gather(0, part.abs().argmax(0, keepdim=True))[0]
            torch.testing.assert_close(made.values[i, s], best)


def test_a_delayed_effect_belongs_to_its_observation():
    """The prediction at each step is decided by the first feature two steps before."""
    model = lambda x: torch.nn.functional.pad(x[..., :1], (0, 1, 2, 0))[:, : x.shape[1]] * 5  # noqa: E731
    x = torch.zeros(2, 20, 3)
    x[0, 7, 0] = x[1, 12, 0] = 3.0
    target = AtStep(-1, Logit(torch.tensor([0, 0])))
    made = attribute(model, x, WinIT(5, background=torch.zeros(1, 1, 3)), target=target)
    assert made.values.flatten(1).argmax(1).tolist() == [7 * 3, 12 * 3]
    assert made.aux["importance"][0, 7, :, 0].argmax() == 2


def test_the_padding_of_a_background_is_not_drawn():
    padded = torch.cat([OTHER, torch.full((5, 4, 3), 99.0, dtype=torch.float64)], 1)
    batch = Batch(padded, torch.zeros(5, dtype=torch.long), torch.arange(10).expand(5, 10) < 6)
    assert WinIT(background=batch) == WinIT(background=OTHER)


def test_bad_input_is_a_named_error():
    model = recurrent(features=3).double()
    for name in ("winit", "fit"):
        with pytest.raises(UnsupportedError, match="explains series"):
            attribute(perceptron(), torch.ones(2, 5), name, target=0)
        settings = {"background": OTHER[..., :2]} | ({"window": 2} if name == "winit" else {})
        with pytest.raises(ShapeError, match="2 features"):
            attribute(model, X, METHODS.make(name, settings), target=0)
        with pytest.raises(SettingError):
            METHODS.make(name, {"background": 3.0})
    with pytest.raises(SettingError, match="series of 6 steps"):
        attribute(model, X, "winit", target=0)
    with pytest.raises(UnsupportedError, match="no class"):
        attribute(model, X, "fit", target=lambda outputs: outputs[:, 0])
    with pytest.raises(UnsupportedError, match="no probabilities"):
        attribute(model, X, "winit:window=2,distance=kl", target=lambda outputs: outputs[:, 0])
