import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicSpline

from perdure.ops.quadrature import gauss_legendre, neighbour_rules, spline_rule


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_gauss_legendre_is_exact_to_its_degree(count):
    nodes, weights = gauss_legendre(count)
    for power in range(2 * count):
        assert float(weights @ nodes**power) == pytest.approx(1 / (power + 1), abs=1e-13)


@given(st.integers(5, 30), st.integers(0, 10_000))
def test_the_spline_rule_integrates_the_spline_of_scipy(count, seed):
    draw = np.random.default_rng(seed)
    nodes = np.cumsum(draw.uniform(0.1, 1, (2, count)), 1)
    values = draw.normal(size=nodes.shape)
    order = draw.permutation(count)
    rule = spline_rule(torch.tensor(nodes[:, order])).numpy()
    for line in range(2):
        spline = CubicSpline(nodes[line], values[line])
        pieces = [spline.integrate(a, b) for a, b in zip(nodes[line], nodes[line, 1:], strict=False)]
        np.testing.assert_allclose(rule[line] @ values[line, order], pieces, rtol=1e-7, atol=1e-9)


@given(st.integers(2, 6), st.integers(6, 20), st.integers(0, 10_000))
def test_the_neighbour_rules_are_exact_to_their_degree_on_every_piece(size, count, seed):
    draw = np.random.default_rng(seed)
    nodes = draw.permuted(np.cumsum(draw.uniform(0.1, 1, (2, count)), 1), axis=1)
    weights, near = (group.numpy() for group in neighbour_rules(torch.tensor(nodes), size))
    ascending = np.sort(nodes, 1)
    assert weights.shape == (2, size - 1, count - 1, size)
    for line, power in np.ndindex(2, size):
        expected = np.diff(ascending[line] ** (power + 1)) / (power + 1)
        result = (weights[line] * nodes[line, near[line]] ** power).sum(2)
        np.testing.assert_allclose(result, np.tile(expected, (size - 1, 1)), rtol=1e-7, atol=1e-7)


def test_a_neighbour_rule_looks_to_one_side():
    """A rule of earlier nodes does not see the step that follows."""
    nodes = torch.linspace(0, 1, 9, dtype=torch.float64)[None]
    weights, near = neighbour_rules(nodes, 4)
    pieces = (weights * (nodes > 0.5)[0, near]).sum(3)[0, 2]
    assert torch.equal(pieces[:4], torch.zeros(4, dtype=torch.float64))


@pytest.mark.parametrize("count", [5, 6, 7, 11])
def test_a_line_with_fewer_nodes_has_the_rules_that_it_has_alone(count):
    draw = np.random.default_rng(count)
    short, long = (torch.tensor(draw.permutation(draw.uniform(size=size))) for size in (count, 12))
    both = torch.stack([torch.cat([short, short.new_full((12 - count,), torch.nan)]), long])
    rule = spline_rule(both)
    torch.testing.assert_close(rule[0, : count - 1, :count], spline_rule(short[None])[0])
    torch.testing.assert_close(rule[1], spline_rule(long[None])[0])
    assert not rule[0, count - 1 :].any()
    assert not rule[0, :, count:].any()
    weights, near = neighbour_rules(both, 5)
    alone = neighbour_rules(short[None], 5)
    torch.testing.assert_close(weights[0, :, : count - 1], alone[0][0])
    assert torch.equal(near[0, :, : count - 1], alone[1][0])
    assert not weights[0, :, count - 1 :].any()


def test_the_spline_rule_supports_crowded_nodes():
    crowd = 0.3 + torch.logspace(-6, -1, 12, dtype=torch.float64)
    nodes = torch.cat([torch.tensor([0.0, 0.3, 1.0], dtype=torch.float64), crowd])[None]
    assert float((spline_rule(nodes).sum(1) * nodes.pow(3)).sum()) == pytest.approx(0.25, abs=1e-7)  # 1e-13 over 1e-6


def test_very_close_nodes_among_many_are_no_trouble():
    close = 0.5 + 1e-6 * torch.arange(1, 120, dtype=torch.float64)
    nodes = torch.cat([torch.linspace(0, 1, 32, dtype=torch.float64), close])[None].expand(11, -1)
    assert torch.allclose(spline_rule(nodes).sum((1, 2)), torch.ones(11, dtype=torch.float64), atol=1e-6)
