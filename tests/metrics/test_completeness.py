import pytest
import torch

from perdure.core.attribution import Attribution
from perdure.core.query import Query
from perdure.metrics.completeness import Completeness
from tests.metrics.attributions import trial_of

X = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_attribution_of_a_linear_model_has_no_gap():
    assert Completeness().measure(trial_of(X, x=X)).values.tolist() == pytest.approx([0.0] * 3, abs=1e-12)


def test_the_gap_is_in_units_of_the_target_and_has_no_sign():
    for shift in (0.25, -0.25):
        assert Completeness().measure(trial_of(X + shift, x=X)).values.tolist() == pytest.approx([2.0] * 3)


def test_the_value_at_the_baseline_is_taken_off():
    query = Query(lambda x: x.sum((1, 2))[:, None] + 7, X, lambda logits: logits[:, 0])
    assert Completeness().measure(Attribution(X, source=query)).values.tolist() == pytest.approx([0.0] * 3, abs=1e-12)


def test_a_zero_map_misses_the_whole_change():
    expected = X.sum((1, 2)).abs().tolist()
    assert Completeness().measure(trial_of(torch.zeros_like(X), x=X)).values.tolist() == pytest.approx(expected)


def test_padding_is_not_summed():
    mask = torch.tensor([[True, True, False, False]] * 3)
    assert Completeness().measure(trial_of(X, mask=mask, x=X)).values.tolist() == pytest.approx([0.0] * 3, abs=1e-12)
