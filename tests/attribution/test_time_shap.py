import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.time_shap import TimeSHAP
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import CopiesStep, Opaque, perceptron, recurrent, stream
from tests.reference.temporal_loop import shapley

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 5, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([5, 2, 4])


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("make", [recurrent, lambda: Opaque().eval()])
def test_with_few_players_the_values_are_those_of_all_orders(make, lengths):
    model = make().double()
    query = Query(model, X, Logit(LABEL), None if lengths is None else length_mask(lengths, 5))
    result, start = TimeSHAP(baseline="mean").scores(query), baseline_of("mean", query)
    for i, n in enumerate([5] * 3 if lengths is None else lengths.tolist()):

        def value(present, i=i, n=n):
            point = start[i, :n].clone()
            point[list(present)] = X[i, list(present)]
            return float(model(point[None])[0, LABEL[i]].detach())

        expected = torch.from_numpy(shapley(value, n))
        torch.testing.assert_close(result.values[i, :n].sum(1), expected, rtol=0, atol=1e-9)
    assert not result.aux["standard_error"].any()


@pytest.mark.parametrize("groups", ["feature", "element"])
def test_sampled_values_are_complete_and_near_the_exact_ones(groups):
    model, x = recurrent().double(), X[:, :2]
    arguments = {"target": LABEL}
    exact = attribute(model, x, TimeSHAP(groups, "exact"), **arguments).values
    sampled = attribute(model, x, TimeSHAP(groups, "sampling", 100), **arguments)
    error = sampled.aux["standard_error"]
    assert ((sampled.values - exact).abs() <= 5 * error + 1e-12).all()
    assert (error > 0).any()
    torch.testing.assert_close(sampled.values.sum((1, 2)), exact.sum((1, 2)))


@pytest.mark.slow
def test_intervals_cover_the_exact_values():
    model, x = recurrent().double(), torch.randn(1, 11, 4, generator=stream(), dtype=torch.float64)
    exact = attribute(model, x, TimeSHAP(estimator="exact"), target=0).values
    sampled = attribute(model, x.expand(1000, -1, -1), TimeSHAP(), target=0)
    student = 1.984  # the .975 quantile with 99 degrees of freedom, one less than pairs of orders
    inside = (sampled.values - exact).abs() <= student * sampled.aux["standard_error"]
    assert 0.93 <= inside.double().mean() <= 0.97


def test_old_steps_that_do_not_matter_are_one_player():
    model, x = CopiesStep(9), torch.randn(2, 12, 3, generator=stream(), dtype=torch.float64)
    result = attribute(model, x, "time_shap:tolerance=1e-9", target=0)
    assert result.aux["pruned"].tolist() == [9, 9]
    assert not result.aux["standard_error"].any()
    torch.testing.assert_close(result.values[:, 9].sum(1), x[:, 9].sum(1))
    assert result.values.abs().sum() == result.values[:, 9].abs().sum()


def test_bad_input_is_a_named_error():
    with pytest.raises(UnsupportedError, match="explains series"):
        attribute(perceptron(), torch.ones(2, 5), "time_shap", target=0)
    with pytest.raises(SettingError, match=r"2\^40 = 1.1e\+12 forward passes"):
        attribute(recurrent(), torch.ones(1, 10, 4), "time_shap:groups=element,estimator=exact", target=0)
    for settings in ({"samples": 5}, {"samples": 2}, {"tolerance": -1}, {"estimator": "kernel"}, {"groups": "event"}):
        with pytest.raises(SettingError):
            TimeSHAP(**settings)
