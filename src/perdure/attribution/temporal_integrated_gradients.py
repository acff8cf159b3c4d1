"""Temporal integrated gradients: integrated gradients of each step, given the steps before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._prefixes import group_prefixes, require_series
from perdure.core.check import check_choice, check_counts
from perdure.core.precision import full_precision, widen
from perdure.core.query import Query
from perdure.ops.baseline import Baseline, baseline_of, set_baseline
from perdure.ops.quadrature import gauss_legendre

__all__ = ["TemporalIntegratedGradients"]

Future = Literal["absent", "present"]


@dataclass(frozen=True)
class TemporalIntegratedGradients:
    r"""Integrate the gradient of one step after the other from a baseline, with the earlier steps at their values.

    .. math:: a_{t,d} = (x_{t,d} - x'_{t,d}) \int_0^1
        \frac{\partial S(x_{1:t-1}, \, x'_t + \alpha (x_t - x'_t))}{\partial x_{t,d}} \, d\alpha

    The target is that of the series up to step t: how much the prediction changed when step t arrived. At each step
    the values sum to :math:`S(x_{1:t}) - S(x_{1:t-1}, x'_t)`. A recurrent model computes the states of all prefixes
    once, and then all steps and nodes in one batch of single steps; a model with lengths gets the prefixes as one
    batch, any other model one prefix after the other.

    Args:
        steps: Gauss-Legendre nodes for each step of the series.
        future: "absent" to evaluate the series up to each step; "present" to keep the later steps at their values and
            evaluate the whole series, also for models that read a single length or both directions.
        baseline: Start of the path of each step.

    Raises:
        SettingError: For a value that cannot be used.
        UnsupportedError: For inputs that are no series.

    Reference:
        enguehard2023tint

    Notes:
        A target at one step (`AtStep`) is taken at step t of the prefix that ends there.

    Example:
        >>> model = lambda x: x.cumsum(1)[:, -1] ** 2
        >>> x = torch.tensor([[[1.0], [2.0]]])
        >>> query = Query(model, x, lambda outputs: outputs[:, 0])
        >>> TemporalIntegratedGradients().scores(query).round(decimals=4).flatten().tolist()
        [1.0, 8.0]
    """

    steps: int = 50
    future: Future = "absent"
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(steps=self.steps)
        check_choice("future", self.future, get_args(Future))
        set_baseline(self)

    def scores(self, query: Query) -> Float[Tensor, "batch time feature"]:
        """Integrate the gradient of each step.

        Args:
            query: Query to explain.

        Returns:
            The integral times the change.
        """
        require_series(query, "temporal_integrated_gradients")
        start = baseline_of(self.baseline, query)
        mean = (
            _given_the_past(query, start, self.steps) if self.future == "absent" else _alone(query, start, self.steps)
        )
        return (query.x - start) * mean


def _given_the_past(query: Query, start: Tensor, nodes: int) -> Tensor:
    places, weights = gauss_legendre(nodes)
    mean = torch.zeros_like(widen(query.x))
    longest = query.x.shape[1] if query.lengths is None else int(query.lengths.max())
    for group in group_prefixes(query, list(range(longest)), 1, nodes):
        tails = _path(query.x[:, group.ends], start[:, group.ends], places).transpose(1, 2)[..., None, :]
        mean[:, group.ends] = _average(group.gradient(tails)[..., 0, :], weights).transpose(0, 1)
    return mean


def _alone(query: Query, start: Tensor, nodes: int) -> Tensor:
    """Average the gradient of each step with all others at their values."""
    places, weights = gauss_legendre(nodes)
    mean = torch.zeros_like(widen(query.x))
    for t in range(query.x.shape[1]):
        points = query.x.expand(nodes, *query.x.shape).clone()
        points[:, :, t] = _path(query.x[:, t], start[:, t], places)
        mean[:, t] = _average(query.gradient(points)[:, :, t], weights)
    return mean


def _path(x: Tensor, start: Tensor, places: Float[Tensor, " node"]) -> Tensor:
    return start + places.to(x).reshape(-1, *[1] * x.ndim) * (x - start)


@full_precision
def _average(gradients: Tensor, weights: Float[Tensor, " node"]) -> Tensor:
    wide = widen(gradients)
    total: Tensor = torch.tensordot(weights.to(wide), wide, 1)
    return total
