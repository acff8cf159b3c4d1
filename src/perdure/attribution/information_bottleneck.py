"""The information bottleneck: the information inside the network that a prediction needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from perdure.attribution._layer import query_layer
from perdure.attribution.iba.annealing import Annealing, anneal_mask, select_mask, warn_unless_converged
from perdure.attribution.iba.moments import LayerMoments, fit_layer_moments, require_fitted
from perdure.attribution.iba.retention import measure_retention
from perdure.attribution.iba.search import MaskSearch, optimise_mask
from perdure.core.batch import Batch
from perdure.core.check import check_choice
from perdure.core.errors import UnsupportedError
from perdure.core.method import MethodOutput
from perdure.core.precision import in_single
from perdure.core.query import Query
from perdure.core.target import Signed, in_nats
from perdure.models._embed import embed_batch
from perdure.ops.information import NATS_PER_BIT
from perdure.ops.position import Granularity

__all__ = ["InformationBottleneck", "input_map"]

ReadOut = Literal["annealed", "bits"]

ENDS = (0.2, 10.0)
"""Penalty of all information at the first step, and of one average position at the last, in target drops."""


@dataclass(frozen=True)
class InformationBottleneck:
    r"""Optimise a mask of a layer that keeps the prediction with little information, and map it to the input.

    .. math:: Z = \lambda R + (1 - \lambda) \varepsilon, \quad \varepsilon \sim N(\mu_R, \sigma_R^2)

    In one search for each sample the penalty of information grows from where everything is kept to where nothing is.
    The map is the mean of the mask :math:`\lambda` over this search: the logarithm, scaled to [0, 1], of the penalty
    at which a position of the layer is given up, at the resolution of the input. With a beta the penalty is fixed as
    published, and the map is the information that passes, the Kullback-Leibler divergence of :math:`Z` from the noise
    in bits, summed over the channels of the layer.

    Args:
        layer: Name of a module; None for the nearest to 60 % of the way through the network that all information
            passes.
        read_out: Map that is returned: "annealed", or the "bits" of the mask that keeps 90 % of the probability.
        beta: Penalty of one nat per element in nats of log-probability, for a search with a fixed penalty; 10 is
            published. None for the annealed search.
        steps: Steps of the search; None for 30, or 10 with a fixed penalty.
        learning_rate: Learning rate for the logit of the mask; None for 25 divided by the steps, or 1 with a fixed
            penalty.
        copies: Draws of noise for each sample in every step; None for 4, or 10 with a fixed penalty.
        start: Logit of the mask before the first step; None for 4, or 5 with a fixed penalty.
        smoothing: Standard deviation of the Gaussian that smooths the mask of images, in pixels of the layer.
        granularity: Whether there is one mask for each "position" of the layer, or one for each "element"; None for
            position, or element with a fixed penalty.
        keep: Fraction of the prediction that the mask in `aux` keeps.
        inside: Moments of the layer, from `fit`; None before.

    Raises:
        SettingError: If a value is out of range.

    Reference:
        schulz2020restricting

    Notes:
        Mean and standard deviation are taken per channel and position of images, per channel with fewer than 100
        samples, and per feature of series and texts; padding is not counted. Where a model reads the final state of a
        recurrence, the last noisy output takes its place.

        `aux` has the `bits` of each sample, the information in the layer that the mask lets pass. After an annealed
        search it also has `kept`, the fraction of the prediction that the mask keeps under further noise, and
        `converged`.

        Convolutions inside a residual block are bypassed by its skip connection, so that a bottleneck there is nearly
        empty: the layer is checked by exchanging its outputs for two samples, with a `BypassWarning` where the outputs
        of the model are not exchanged.
    """

    layer: str | None = None
    read_out: ReadOut = "annealed"
    beta: float | None = None
    steps: int | None = None
    learning_rate: float | None = None
    copies: int | None = None
    start: float | None = None
    smoothing: float = 1.0
    granularity: Granularity | None = None
    keep: float = 0.9
    inside: LayerMoments | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_choice("read_out", self.read_out, get_args(ReadOut))
        check_choice("granularity", self.granularity, (*get_args(Granularity), None))
        self._annealing() if self.beta is None else self._search(self.beta)

    @property
    def is_fitted(self) -> bool:
        """Whether mean and standard deviation of the layer are known."""
        return self.inside is not None

    def fit(self, model: nn.Module, batch: Batch) -> InformationBottleneck:
        """Choose or check the layer, and take its mean and standard deviation.

        Args:
            model: Model that will be explained.
            batch: At least two samples like those that will be explained.

        Returns:
            The method for this model.

        Raises:
            EmptyDataError: If there are fewer than two samples.
            UnknownNameError: If there is no such layer.
            UnsupportedError: If the layer returns no tensor.

        Warns:
            BypassWarning: If information bypasses the layer.
        """
        return replace(self, inside=fit_layer_moments(model, self.layer, embed_batch(model, batch)))

    def scores(self, query: Query) -> MethodOutput:
        """Optimise the mask of each sample.

        Args:
            query: Query of the inputs; a logit or probability is taken as log-odds, with a fixed penalty as
                log-probability, any other target as it is.

        Returns:
            The map; `bits`, `kept` and `converged` of each sample in aux.

        Raises:
            UnsupportedError: Before `fit`, or if the layer has no positions.
        """
        inside = require_fitted(self.inside, "information_bottleneck")
        query = in_single(query)
        query = replace(query, target=in_nats(query.bound, odds=self.beta is None))
        inner, name = query_layer(query, inside.layer), f"layer '{inside.layer}'"
        noise = inside.noise(inner.x)
        if self.beta is not None:
            bits = input_map(optimise_mask(inner, noise, self._search(self.beta), name).nats, query.x, inside.layer)
            return MethodOutput(bits / NATS_PER_BIT, {"bits": bits.flatten(1).sum(1) / NATS_PER_BIT})
        search = self._annealing()
        retention = measure_retention(inner, noise, name)
        inner = replace(inner, target=Signed(inner.target, retention.direction))
        path = anneal_mask(inner, noise, search, retention.drop, name)
        result = select_mask(inner, noise, search, path, retention, name)
        bits = input_map(result.nats, query.x, inside.layer) / NATS_PER_BIT
        mean = input_map(path.mean, query.x, inside.layer, average=True)
        warn_unless_converged(result, search)
        aux = {"bits": bits.flatten(1).sum(1), "kept": result.kept, "converged": result.converged}
        return MethodOutput(bits if self.read_out == "bits" else mean, aux)

    def _annealing(self) -> Annealing:
        steps, copies, start = (
            default if value is None else value
            for value, default in ((self.steps, 30), (self.copies, 4), (self.start, 4.0))
        )
        size = self.granularity or "position"
        return Annealing(int(steps), self.learning_rate, int(copies), start, self.smoothing, size, self.keep, ENDS)

    def _search(self, beta: float) -> MaskSearch:
        steps, rate, copies, start = (
            default if value is None else value
            for value, default in ((self.steps, 10), (self.learning_rate, 1.0), (self.copies, 10), (self.start, 5.0))
        )
        size = self.granularity or "element"
        return MaskSearch(beta, int(steps), rate, int(copies), start, self.smoothing, size)


def input_map(
    values: Float[Tensor, "batch *neuron"], x: Float[Tensor, "batch *site"], layer: str, *, average: bool = False
) -> Float[Tensor, "batch *site"]:
    """Bring values in a layer to the resolution of the input.

    Args:
        values: Number at each neuron of the layer.
        x: Inputs with the shape of the map.
        layer: Name of the layer, for the error.
        average: Whether to average over the channels of the layer instead of conserving the sum.

    Returns:
        A map that sums to the same, up to the error of linear interpolation, or the mean over channels.

    Raises:
        UnsupportedError: If the layer has no positions like those of the input.

    Example:
        >>> import torch
        >>> input_map(torch.ones(1, 8, 2, 2), torch.zeros(1, 2, 4, 4), "conv").sum().item()
        32.0
        >>> input_map(torch.ones(1, 8, 2, 2), torch.zeros(1, 2, 4, 4), "conv", average=True).mean().item()
        1.0
    """
    if values.ndim != x.ndim or x.ndim not in (3, 4):
        raise UnsupportedError(
            f"layer '{layer}' gives shape {tuple(values.shape[1:])} for inputs {tuple(x.shape[1:])}, so it has no map",
            "name a layer that keeps the steps of a series or the rows and columns of an image",
        )
    axis = 1 if x.ndim == 4 else 2
    size, wanted = ([length for i, length in enumerate(part.shape) if i not in (0, axis)] for part in (values, x))
    positions = values.sum(axis, keepdim=True).movedim(axis, 1)
    if size != wanted:
        positions = interpolate(positions, wanted, mode="bilinear" if x.ndim == 4 else "linear")
    scale = 1 / values.shape[axis] if average else prod(size) / prod(wanted) / x.shape[axis]
    return (positions * scale).movedim(1, axis).expand_as(x)
