"""Paired comparisons with known results."""

import pytest
import torch

from perdure.audit.paired import combine_scores, estimate_paired, find_ties
from perdure.core.metric import Score


def score(values, ceiling=1.0):
    values = torch.as_tensor(values)
    return Score("insertion", values, torch.full_like(values, 0.5), torch.full_like(values, ceiling))


def test_the_null_is_zero_and_the_ceiling_one_whichever_end_is_better():
    up, down = [0.5, 1.0, 0.75], [0.5, 0.0, 0.25]
    panel = {"a": {"insertion": score(up), "deletion": score(down, 0.0)}}
    combined = combine_scores(panel)
    assert combined["a"].tolist() == [0.0, 1.0, 0.5]
    assert estimate_paired(combined["a"], 0).value == 0.5
    assert combine_scores({}) == {}


def test_a_curve_that_hardly_depends_on_the_map_does_not_decide():
    """Insertion varies by .01, deletion by .5: a map that is .02 worse by insertion is not much worse."""
    values = torch.tensor([0.97, 0.97])
    insertion = Score("insertion", values, torch.full((2,), 0.99), torch.ones(2))
    combined = combine_scores({"a": {"insertion": insertion, "deletion": score([0.0, 0.0], 0.0)}})
    assert (combined["a"] > 0.4).all()


def test_metrics_with_equal_null_and_ceiling_do_not_divide_by_zero():
    combined = combine_scores({"a": {"insertion": score([0.5, 0.5], 0.5)}})
    assert combined["a"].tolist() == [0.0, 0.0]


def test_methods_that_are_always_better_are_distinguished(generator):
    base = torch.rand(32, generator=generator)
    noise = torch.rand(32, generator=generator)
    ties = find_ties({"a": base, "b": base + 0.1, "c": base + 0.1 + 0.01 * (noise - noise.mean())}, 0)
    assert ties == {"a": (), "b": ("c",), "c": ("b",)}
    assert find_ties({"a": base}, 0) == {"a": ()}


@pytest.mark.parametrize("samples", [2, 4])
def test_few_samples_distinguish_nothing(samples):
    ties = find_ties({"a": torch.ones(samples), "b": torch.zeros(samples)}, 0)
    assert ties == {"a": ("b",), "b": ("a",)}
