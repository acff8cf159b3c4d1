import math

import pytest
import torch

from perdure.core.errors import EmptyDataError, SettingError, ShapeError
from perdure.ops.variance import variance_fractions
from perdure.stability.variance import split_variance
from perdure.stability.vectors import Vectors

SITE, OF_METHOD, OF_RUN, REST = ("site",), ("method", "site"), ("run", "site"), ("method", "run", "site")


def explain_runs(site=0.0, of_method=0.0, of_run=0.0, rest=0.0, samples=80, types=12):
    """Three methods and four runs, whose values are sums of what belongs to site, method and run."""
    draw = torch.Generator().manual_seed(0)
    present = torch.rand(samples, types, generator=draw) < 0.8

    def noise():
        return torch.randn(samples, types, generator=draw)

    shared, runs = site * noise(), [of_run * noise() for _ in range(4)]
    made = {}
    for name in ("a", "b", "c"):
        own = of_method * noise()
        values = [shared + own + run + rest * noise() for run in runs]
        made[name] = [Vectors(item.masked_fill(~present, 0.0), present) for item in values]
    return made


@pytest.mark.parametrize(
    ("planted", "factors"),
    [("site", SITE), ("of_method", OF_METHOD), ("of_run", OF_RUN), ("rest", REST)],
)
def test_a_single_source_gets_all_the_variance(planted, factors):
    result = variance_fractions(split_variance(explain_runs(**{planted: 1.0})))
    assert result[factors] > 0.97


def test_two_sources_share_the_variance_as_their_ranks_do():
    """Three to one: values of two runs correlate by r = 3/4, and ranks of n of them as Moran (1948) gives."""
    made = explain_runs(site=3**0.5, of_run=1.0, samples=500)
    n = made["a"][0].present.sum(1).double()
    ranks = 6 / (math.pi * (n + 1)) * (math.asin(0.75) + (n - 2) * math.asin(0.75 / 2))
    expected = ((n * ranks).sum() / n.sum()).item()
    result = variance_fractions(split_variance(made))
    assert result[SITE] == pytest.approx(expected, abs=0.025)  # three standard errors of 4300 sites
    assert result[OF_RUN] == pytest.approx(1 - expected, abs=0.025)


def test_the_unit_of_a_method_does_not_matter():
    made = explain_runs(site=1.0, of_method=1.0, of_run=1.0, rest=1.0)
    scaled = made | {"b": [Vectors(item.values * 1e4, item.present) for item in made["b"]]}
    assert split_variance(scaled) == split_variance(made)


def test_what_cannot_be_decomposed_is_named():
    made = explain_runs(site=1.0)
    with pytest.raises(ShapeError):
        split_variance(made | {"b": made["b"][:3]})
    with pytest.raises(ShapeError):
        split_variance(made | {"b": explain_runs(samples=79)["b"]})
    with pytest.raises(SettingError, match="one level of method"):
        split_variance({"a": made["a"]})
    with pytest.raises(EmptyDataError):
        split_variance({})
    lonely = Vectors(torch.ones(3, 1), torch.ones(3, 1, dtype=torch.bool))
    with pytest.raises(EmptyDataError, match="two event types"):
        split_variance({"a": [lonely] * 2, "b": [lonely] * 2})
