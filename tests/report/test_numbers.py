from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.core.estimate import Estimate
from perdure.report.numbers import compare_with_null, describe, format_interval, format_value, place_on_scale

values = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))


def number(value, low, high, null=0.0, ceiling=1.0, better=True):
    return Estimate(value, null, ceiling, (low, high), name="n", higher_is_better=better)


@given(values, values, values, values, values)
def test_a_scale_is_ordered_and_stays_inside(value, low, high, null, ceiling):
    low, value, high = sorted((low, value, high))
    placed = place_on_scale(number(value, low, high, null, ceiling))
    if null == ceiling:
        assert placed is None
    else:
        assert 0 <= placed.low <= placed.value <= placed.high <= 100
        assert 0 <= placed.null < placed.ceiling <= 100


@pytest.mark.parametrize(("value", "place"), [(0.0, 0.0), (0.5, 50.0), (1.0, 100.0)])
def test_places_between_null_and_ceiling(value, place):
    assert place_on_scale(number(value, value, value)).value == place


def test_a_value_far_below_its_null_sits_at_the_edge():
    placed = place_on_scale(number(-40.0, -41.0, -39.0))
    assert (placed.value, placed.high) == (0.0, 0.0)
    assert placed.null == pytest.approx(100 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("low", "high", "ceiling", "expected"),
    [(0.1, 0.2, 1.0, "better"), (-0.1, 0.2, 1.0, "like"), (-0.2, -0.1, 1.0, "worse"), (-0.2, -0.1, -1.0, "better")],
)
def test_standing_follows_the_interval_towards_the_ceiling(low, high, ceiling, expected):
    assert compare_with_null(number((low + high) / 2, low, high, ceiling=ceiling)) == expected


def test_a_number_that_only_describes_has_no_standing():
    described = number(0.5, 0.4, 0.6, better=None)
    assert compare_with_null(described) is None
    assert describe(described).endswith("ceiling 1.00")


def test_a_number_without_an_interval_has_no_standing():
    unknown = Estimate(0.5, 0.0, 1.0, name="n", higher_is_better=True)
    assert compare_with_null(unknown) is None
    assert (format_value(unknown), format_interval(unknown)) == ("0.500", "unknown")
    assert place_on_scale(unknown).low == place_on_scale(unknown).high == place_on_scale(unknown).value == 50.0


def test_a_p_value_decides_whether_a_number_is_better_and_the_uniform_map_is_marked():
    number = Estimate(0.8, 0.5, 1.0, (0.7, 0.9), name="insertion", higher_is_better=True, uniform=0.25, p=0.2)
    assert compare_with_null(number) == "like"
    assert compare_with_null(replace(number, p=0.01)) == "better"
    assert compare_with_null(replace(number, p=0.01, interval=(0.4, 0.9))) == "better"
    assert compare_with_null(replace(number, interval=(0.3, 0.4), p=1.0)) == "worse"
    place = place_on_scale(number)
    assert place.uniform < place.null < place.value < place.ceiling
    assert describe(number).endswith("null 0.500, uniform random map 0.250, ceiling 1.00; like the null, p 0.200")
