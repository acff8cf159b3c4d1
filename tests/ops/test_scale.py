import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.ops.scale import scale_to_unit

EVERYWHERE = torch.ones(1, 3, dtype=torch.bool)


@settings(deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=6))
def test_any_finite_sample_is_scaled_into_the_unit_interval(row):
    values = torch.tensor([row])
    scaled = scale_to_unit(values, torch.ones_like(values, dtype=torch.bool))
    assert ((scaled >= 0) & (scaled <= 1)).all()
    assert scaled.max() == (1 if values.max() / 2 > values.min() / 2 else 0)


def test_a_constant_sample_becomes_zero():
    assert scale_to_unit(torch.full((1, 3), 5.0), EVERYWHERE).tolist() == [[0.0] * 3]


def test_padding_neither_sets_the_scale_nor_gets_a_value():
    mask = torch.tensor([[True, True, False]])
    assert scale_to_unit(torch.tensor([[1.0, 3.0, -50.0]]), mask).tolist() == [[0.0, 1.0, 0.0]]


def test_samples_do_not_see_each_other():
    assert (
        scale_to_unit(torch.tensor([[0.0, 1.0, 2.0], [0.0, 10.0, 20.0]]), EVERYWHERE.expand(2, 3)).tolist()
        == [[0.0, 0.5, 1.0]] * 2
    )
