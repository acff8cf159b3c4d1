"""The information bottleneck: which information inside the network does a prediction need?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from perdure.attribution._layer import query_layer
from perdure.attribution.iba.moments import LayerMoments, fit_layer_moments, require_fitted
from perdure.attribution.iba.search import MaskSearch, optimise_mask
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.core.method import MethodOutput
from perdure.core.precision import in_single
from perdure.core.query import Query
from perdure.core.target import in_nats
from perdure.models._embed import embed_batch
from perdure.ops.information import NATS_PER_BIT

__all__ = ["InformationBottleneck", "input_map"]


@dataclass(frozen=True)
class InformationBottleneck:
    r"""Optimise a mask of a layer that keeps the prediction with little information, and map this information.

    .. math:: Z = \lambda R + (1 - \lambda) \varepsilon, \quad \varepsilon \sim N(\mu_R, \sigma_R^2)

    The mask :math:`\lambda` of each sample weighs the loss of log-probability against the information that passes,
    the Kullback-Leibler divergence of :math:`Z` from the noise. The map is this information in bits, summed over
    the channels of the layer and brought to the resolution of the input: it sums to all bits that were needed.

    Args:
        layer: name of a module; None for the one 60 % of the way through the network.
        beta: Penalty of one nat per element, in nats of log-probability.
        steps: Steps of the search.
        learning_rate: Learning rate of the search for the logit of the mask.
        copies: Draws of noise for each sample in every step.
        start: logit of the mask before the first step.
        smoothing: Standard deviation of the Gaussian that smooths the mask of images, in pixels of the layer.
        inside: Moments of the layer, from `fit`; None before.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        schulz2020restricting

    Notes:
        Mean and standard deviation are taken per channel and position of images, per feature of series and texts;
        padding is not counted. Where a model reads the final state of a recurrence, the last noisy output takes its
        place.
    """

    layer: str | None = None
    beta: float = 10.0
    steps: int = 10
    learning_rate: float = 1.0
    copies: int = 10
    start: float = 5.0
    smoothing: float = 1.0
    inside: LayerMoments | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self._search()

    @property
    def is_fitted(self) -> bool:
        """Whether mean and standard deviation of the layer are known."""
        return self.inside is not None

    def fit(self, model: nn.Module, batch: Batch) -> InformationBottleneck:
        """Take mean and standard deviation of the layer.

        Args:
            model: that will be explained.
            batch: At least two samples like those that will be explained.

        Returns:
            The method for this model.

        Raises:
            EmptyDataError: for fewer than two samples.
            UnknownNameError: when there is no such layer.
            UnsupportedError: when the layer gives no tensor.
        """
        return replace(self, inside=fit_layer_moments(model, self.layer, embed_batch(model, batch)))

    def scores(self, query: Query) -> MethodOutput:
        """Search the mask of each sample.

        Args:
            query: the question; a logit or probability is taken as log-probability, any other target as it is.

        Returns:
            Bits at each site; `bits` in aux is their sum.

        Raises:
            UnsupportedError: before `fit`, or when the layer keeps no positions.
        """
        inside = require_fitted(self.inside, "information_bottleneck")
        query = in_single(query)
        layer_query = query_layer(replace(query, target=in_nats(query.bound)), inside.layer)
        result = optimise_mask(layer_query, inside.noise(layer_query.x), self._search(), f"layer '{inside.layer}'")
        bits = input_map(result.nats, query.x, inside.layer) / NATS_PER_BIT
        return MethodOutput(bits, {"bits": bits.flatten(1).sum(1)})

    def _search(self) -> MaskSearch:
        return MaskSearch(self.beta, self.steps, self.learning_rate, self.copies, self.start, self.smoothing)


def input_map(
    nats: Float[Tensor, "batch *neuron"], x: Float[Tensor, "batch *site"], layer: str
) -> Float[Tensor, "batch *site"]:
    """Bring information in a layer to the resolution of the input.

    Args:
        nats: information at each neuron of the layer.
        x: gives the shape of the input.
        layer: name of the layer, for the error.

    Returns:
        A map that sums to the same, up to the error of linear interpolation.

    Raises:
        UnsupportedError: when the layer has no positions like those of the input.

    Example:
        >>> import torch
        >>> input_map(torch.ones(1, 8, 2, 2), torch.zeros(1, 2, 4, 4), "conv").sum().item()
        32.0
    """
    if nats.ndim != x.ndim or x.ndim not in (3, 4):
        raise UnsupportedError(
            f"layer '{layer}' gives shape {tuple(nats.shape[1:])} for inputs {tuple(x.shape[1:])}, so it has no map",
            "name a layer that keeps the steps of a series or the rows and columns of an image",
        )
    axis = 1 if x.ndim == 4 else 2
    there, position = ([size for i, size in enumerate(part.shape) if i not in (0, axis)] for part in (nats, x))
    positions = nats.sum(axis, keepdim=True).movedim(axis, 1)
    if there != position:
        spread = interpolate(positions, position, mode="bilinear" if x.ndim == 4 else "linear")
        positions = spread * (prod(there) / prod(position))
    return (positions.movedim(1, axis) / x.shape[axis]).expand_as(x)
