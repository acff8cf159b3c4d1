"""The passes that a search requests are the passes that it reports."""

import torch

from perdure.landscape.curve import CurveSettings, fit_bezier
from perdure.landscape.surface import MINIBATCH, CountedSurface
from perdure.landscape.valley import track_valley
from tests.landscape.bowls import BOWL, RING, Formula, point


def test_a_curve_costs_a_forward_and_a_backward_pass_for_each_step():
    many = Formula(RING.function, (0.0,) * 2 * MINIBATCH)
    heard = []
    counted = CountedSurface(many, heard.append)
    fit_bezier(counted, point(1.0, 0.0), point(0.0, 1.0), torch.Generator(), CurveSettings(steps=5, batch_size=10**6))
    assert counted.passes == 5 * 2 * (1 + 2)
    assert heard == [1, 2, 3, 4, 5]
    assert counted.size == 2 * MINIBATCH


def test_a_tracking_costs_what_it_reports():
    counted = CountedSurface(BOWL)
    result = track_valley(counted, point(-3.0, 1.0), point(2.0, -1.0))
    assert (counted.forward, counted.backward) == (result.evaluations + result.gradients, result.gradients)
    assert counted.gradients == result.gradients
