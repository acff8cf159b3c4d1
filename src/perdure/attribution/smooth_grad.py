"""Smoothed maps: the mean over noisy inputs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.method import Method, NeedsFit, as_output
from perdure.core.query import Query, slice_query
from perdure.core.random import child_seeds, normal
from perdure.core.registry import METHODS
from perdure.ops.sequence import site_mask

__all__ = ["SmoothGrad"]


@dataclass(frozen=True)
class SmoothGrad:
    r"""Average any method over copies of the input with Gaussian noise.

    .. math:: a = \frac1n \sum_{k=1}^{n} A(x + \epsilon_k), \quad \epsilon_k \sim N(0, \sigma^2),
        \quad \sigma = \text{noise} \cdot (\max x - \min x)

    The range is that of the sample's own valid sites, and so is the stream of its noise. The cost is `samples`
    times that of the inner method.

    Args:
        method: Method to average: a method or its registry name, "gradient" as in the paper.
        samples: noisy copies of each sample.
        noise: Standard deviation as a fraction of the range of a sample.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        smilkov2017smoothgrad
    """

    method: Method | str = "gradient"
    samples: int = 20
    noise: float = 0.1

    def __post_init__(self) -> None:
        check_counts(samples=self.samples)
        if not self.noise >= 0:
            raise SettingError(f"noise is {self.noise}", "give a fraction of the range of at least 0")

    @property
    def is_fitted(self) -> bool:
        """Whether the inner method needs to see nothing more."""
        inner = self._inner()
        return not isinstance(inner, NeedsFit) or inner.is_fitted

    def fit(self, model: nn.Module, batch: Batch) -> SmoothGrad:
        """Let the inner method see samples, without noise.

        Args:
            model: that will be explained.
            batch: samples like those that will be explained, of which none should be.

        Returns:
            The method for this model; the same one when the inner method needs no samples.
        """
        inner = self._inner()
        return dataclasses.replace(self, method=inner.fit(model, batch)) if isinstance(inner, NeedsFit) else self

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Explain noisy copies, several at once, and average.

        Args:
            query: the question; its seeds make the noise.

        Returns:
            The mean map.
        """
        method = self._inner()
        scale = self.noise * _range(query)
        total = torch.zeros_like(query.x)
        for copies in torch.split(torch.arange(self.samples), max(1, query.rows // len(query.x))):
            maps = as_output(method.scores(_noisy(query, scale, copies))).values
            total += maps.reshape(len(query.x), len(copies), *query.x.shape[1:]).sum(1)
        return total / self.samples

    def _inner(self) -> Method:
        made: Method = METHODS.make(self.method) if isinstance(self.method, str) else self.method
        return made


def _range(query: Query) -> Tensor:
    """Give the range of each sample's valid sites, shaped to multiply x."""
    valid, axes = site_mask(query.mask, query.x), tuple(range(1, query.x.ndim))
    high = query.x.masked_fill(~valid, -torch.inf).amax(axes, keepdim=True)
    return high - query.x.masked_fill(~valid, torch.inf).amin(axes, keepdim=True)


def _noisy(query: Query, scale: Tensor, copies: Tensor) -> Query:
    """Replace each sample by some noisy copies, which follow one another, so that falling lengths keep falling."""
    folded = slice_query(query, torch.arange(len(query.x)).repeat_interleave(len(copies)))
    seeds = torch.stack([child_seeds(query.seeds, int(k)) for k in copies], 1).flatten()
    noise = normal(seeds, tuple(query.x.shape[1:]), query.x)
    noisy = folded.x + scale.repeat_interleave(len(copies), 0) * noise
    return dataclasses.replace(folded, x=noisy, seeds=seeds)
