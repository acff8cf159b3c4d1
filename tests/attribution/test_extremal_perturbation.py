import math

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.extremal_perturbation import ExtremalPerturbation
from perdure.core.errors import SettingError
from perdure.ops.smooth import SmoothMask
from tests.cases import Linear, stream

LABEL = torch.tensor([0, 1, 1, 0])
SERIES = torch.randn(4, 20, 3, generator=stream(), dtype=torch.float64)


class Squares(nn.Module):
    """Two logits, each the brightness of one square."""

    def forward(self, x):
        return torch.stack([x[:, 0, 4:10, 12:18].mean((1, 2)), x[:, 0, 12:18, 2:8].mean((1, 2))], 1)


def test_on_a_linear_model_the_best_steps_are_kept():
    """Without smoothness the best region of k steps is the k steps that add most."""
    model = Linear(20, 3)
    method = ExtremalPerturbation(areas=(0.3,), smoothness=0.0, baseline="zero", steps=60)
    result = attribute(model, SERIES, method, target=LABEL).values
    best = (SERIES * model.weight[LABEL].detach()).sum(2).topk(6).indices
    expected = torch.zeros(4, 20, dtype=torch.float64).scatter_(1, best, 1.0)[..., None].expand_as(SERIES)
    torch.testing.assert_close(result, expected, atol=0.1, rtol=0)  # the area is a penalty, not a wall
    assert ((result > 0.5) == (expected > 0.5)).all()


@pytest.mark.parametrize("baseline", ["blur", "zero", "mean"])
@pytest.mark.parametrize("cells", [24, 12])
def test_the_square_that_a_logit_reads_is_kept(baseline, cells):
    x = torch.randn(2, 1, 24, 24, generator=stream())
    x[0, 0, 4:10, 12:18] += 3
    x[1, 0, 12:18, 2:8] += 3
    method = ExtremalPerturbation(areas=(1 / 16,), steps=60, cells=cells, baseline=baseline)
    result = attribute(Squares(), x, method, target=torch.tensor([0, 1])).values
    inside = Squares()(result).diagonal()
    assert inside.min() > 0.6
    assert (result.mean((1, 2, 3)) - 1 / 16).abs().max() < 0.06  # smooth flanks lie beyond the area


def test_small_areas_keep_what_matters_most():
    model = Linear(20, 3)
    find = lambda *areas: attribute(model, SERIES, ExtremalPerturbation(areas, baseline="zero"), target=LABEL).values  # noqa: E731
    torch.testing.assert_close(find(0.1, 0.5), (find(0.1) + find(0.5)) / 2)


def test_units_of_the_target_do_not_matter():
    model = Linear(20, 3)
    result, scaled = (
        attribute(model, SERIES, ExtremalPerturbation(steps=20), target=lambda y, unit=unit: unit * y[:, 0]).values
        for unit in (1.0, 1e4)
    )
    torch.testing.assert_close(result, scaled)


def test_a_mask_is_the_largest_of_its_kernels():
    """A slow loop with a hard maximum; the smooth one of n values lies below it by at most T ln(n)."""
    cells = (torch.rand(1, 6, 5, generator=stream(), dtype=torch.float64) > 0.8).double()
    result = SmoothMask((6, 5), (6, 5), sigma=0.7)(cells)[0]
    for i in range(6):
        for j in range(5):
            far = [(((i - k) ** 2 + (j - m) ** 2) ** 0.5) / 0.7 for k in range(6) for m in range(5)]
            near = [c * math.exp(-(max(0.0, z - 1) ** 2) / 4) for c, z in zip(cells.flatten(), far, strict=True)]
            assert max(near) - 0.05 * math.log(7 * 7) < result[i, j] <= max(near)


def test_without_smoothness_a_mask_is_its_cells_and_it_stays_in_its_range():
    cells = torch.rand(3, 4, 7, generator=stream())
    assert torch.equal(SmoothMask((4, 7), (4, 7), 0.0)(cells), cells)
    for sigma in (0.3, 1.0, 4.0):
        smooth = SmoothMask((9, 14), (4, 7), sigma)(cells)
        assert smooth.shape == (3, 9, 14)
        assert 0 <= smooth.min() <= smooth.max() <= 1


@pytest.mark.parametrize(
    "settings", [{"areas": ()}, {"areas": (0.0,)}, {"areas": (1.2,)}, {"smoothness": -1.0}, {"steps": 0}, {"cells": 0}]
)
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(SettingError):
        ExtremalPerturbation(**settings)
