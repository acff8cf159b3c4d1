import pytest
import torch

from perdure.core.errors import SettingError, ShapeError
from perdure.ops.variance import variance_components, variance_fractions


def plant(shape, scales, generator):
    """A sum of independent normal effects, one for each set of axes."""
    total = torch.zeros(shape, dtype=torch.float64)
    for axes, scale in scales.items():
        size = [n if axis in axes else 1 for axis, n in enumerate(shape)]
        total = total + scale * torch.randn(size, generator=generator, dtype=torch.float64)
    return total


def test_equals_the_textbook_for_two_factors():
    """Two-way layout: (MS_row - MS_rest) / columns, (MS_column - MS_rest) / rows, MS_rest."""
    y = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    row, column, mean = y.mean(1), y.mean(0), y.mean()
    rest = (y - row[:, None] - column + mean).square().sum() / (4 * 2)
    rows, columns = 3 * (row - mean).square().sum() / 4, 5 * (column - mean).square().sum() / 2
    expected = [(rows - rest) / 3, (columns - rest) / 5, rest]
    assert list(variance_components(y, ("row", "column")).values()) == pytest.approx([float(v) for v in expected])


def test_a_planted_two_component_model_is_recovered():
    """A method effect of variance 4 and noise of variance 1, nothing from the seed, in the mean over 200 draws."""
    draw = torch.Generator().manual_seed(0)
    result = [
        list(variance_components(plant((6, 8), {(0,): 2.0, (0, 1): 1.0}, draw), ("method", "seed")).values())
        for _ in range(200)
    ]
    estimates = torch.tensor(result)
    error = estimates.std(0) / len(result) ** 0.5
    assert ((estimates.mean(0) - torch.tensor([4.0, 0.0, 1.0])).abs() < 3 * error).all()


def test_all_components_of_three_factors_are_recovered():
    draw = torch.Generator().manual_seed(1)
    scales = {(0,): 1.0, (1,): 0.5, (2,): 2.0, (0, 1): 0.7, (0, 2): 1.2, (1, 2): 0.3, (0, 1, 2): 0.8}
    names = ("method", "seed", "sample")
    result = [variance_components(plant((4, 5, 20), scales, draw), names) for _ in range(200)]
    assert list(result[0]) == [tuple(names[axis] for axis in axes) for axes in scales]
    estimates = torch.tensor([list(item.values()) for item in result])
    error = estimates.std(0) / len(result) ** 0.5
    assert ((estimates.mean(0) - torch.tensor(list(scales.values())).square()).abs() < 3.5 * error).all()


def test_components_grow_with_the_square_of_the_unit_and_not_with_the_origin():
    y = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    first, second = (variance_components(group, ("a", "b", "c")) for group in (y, 10 * y + 7))
    assert list(second.values()) == pytest.approx([100 * value for value in first.values()])


def test_fractions_of_nothing_are_zero():
    assert set(variance_fractions(variance_components(torch.ones(2, 3), ("a", "b"))).values()) == {0.0}


def test_what_cannot_be_decomposed_is_named():
    with pytest.raises(SettingError, match="one level of seed"):
        variance_components(torch.ones(3, 1), ("method", "seed"))
    with pytest.raises(ShapeError):
        variance_components(torch.ones(3, 2), ("method",))
