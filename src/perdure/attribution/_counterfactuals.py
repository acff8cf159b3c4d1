"""Counterfactual values of a series, and distances between the predictions for its prefixes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.attribution._background import Background
from perdure.attribution._prefixes import group_prefixes
from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError
from perdure.core.outputs import as_classes, probability
from perdure.core.query import Query
from perdure.core.random import child_seeds, uniform
from perdure.core.target import AtStep, label_target
from perdure.core.values import Values, read_values
from perdure.ops.baseline import seeds_or_fixed
from perdure.ops.sequence import site_mask

__all__ = ["Counterfactuals", "Distance", "as_predictions", "measure_distance", "predict_prefixes", "set_values"]

Distance = Literal["difference", "kl", "js"]


def set_values(settings: Any) -> None:
    """Read the field `background` of a frozen object of settings, in place, as rows of values of the features.

    Args:
        settings: Object with a field `background`: None, series or a batch, whose padding is left out, or rows.

    Raises:
        SettingError: For a background that holds no series.
    """
    given = settings.background
    if given is None:
        return
    if isinstance(given, Batch):
        given = given.inputs[torch.ones(given.inputs.shape[:2], dtype=torch.bool) if given.mask is None else given.mask]
    value = read_values(given, "background")
    if not isinstance(value, Values) or value.tensor.ndim not in (2, 3):
        raise SettingError("background holds no series", "give series (sample, time, feature) or rows (row, feature)")
    rows = Values(value.tensor.reshape(-1, value.tensor.shape[-1]), value.source)
    object.__setattr__(settings, "background", rows if value.tensor.ndim == 3 and not value.source else value)


class Counterfactuals:
    """Values that replace the last steps of prefixes.

    Args:
        query: Query to explain; its seeds draw from the background.
        background: Values of each feature from which draws are taken; None to carry the last value before the replaced
            steps forward, or the mean of the sample where no step is before them.
        draws: Number of draws from the background.

    Raises:
        ShapeError: When the background has other features.
    """

    def __init__(self, query: Query, background: Background, draws: int) -> None:
        self.x = query.x
        self.drawn = None if background is None else _draw(query, background, draws)
        valid = site_mask(query.mask, query.x)
        mean = query.x.where(valid, 0.0).sum(1, keepdim=True) / valid.expand_as(query.x).sum(1, keepdim=True)
        self.before = torch.cat([mean, query.x], 1)

    @property
    def copies(self) -> int:
        """Number of versions of each replaced step."""
        return 1 if self.drawn is None else len(self.drawn)

    def take(self, ends: Int[Tensor, " end"], width: int) -> Float[Tensor, "copies end batch width feature"]:
        """Give the values for the last steps of some prefixes."""
        if self.drawn is None:
            return self.before[:, ends - width + 1].transpose(0, 1)[None, :, :, None].expand(-1, -1, -1, width, -1)
        return _windows(self.drawn, ends, width)

    def keep(self, ends: Int[Tensor, " end"], width: int) -> Float[Tensor, "1 end batch width feature"]:
        """Give the last steps of some prefixes as they are."""
        return _windows(self.x[None], ends, width)


def _windows(x: Float[Tensor, "copies batch time feature"], ends: Tensor, width: int) -> Tensor:
    steps = ends[:, None] + torch.arange(1 - width, 1)
    return x[:, :, steps].transpose(1, 2)


def _draw(query: Query, background: Background, draws: int) -> Float[Tensor, "copies batch time feature"]:
    assert isinstance(background, Values)
    batch, steps, features = query.x.shape
    rows = background.tensor.reshape(-1, background.tensor.shape[-1]).to(query.x)
    if rows.shape[1] != features:
        raise ShapeError(
            f"the background has {rows.shape[1]} features and the inputs have {features}",
            "give series with the features of the inputs, such as training samples",
        )
    seeds = child_seeds(seeds_or_fixed(query.seeds, batch), "counterfactuals")
    place = uniform(seeds, (steps, draws, features), torch.zeros((), dtype=torch.float64)) * len(rows)
    return rows[place.long().to(rows.device), torch.arange(features, device=rows.device)].permute(2, 0, 1, 3)


def predict_prefixes(query: Query, counterfactuals: Counterfactuals) -> Float[Tensor, "end batch class"]:
    """Compute the prediction after each step.

    Args:
        query: Query to explain.
        counterfactuals: Values of the series.

    Returns:
        Predictions, as `as_predictions` gives them.
    """
    longest = query.x.shape[1] if query.lengths is None else int(query.lengths.max())
    read = as_predictions(query)
    groups = group_prefixes(query, list(range(longest)), 1, 1)
    return torch.cat([read(group.outputs(counterfactuals.keep(group.ends, 1)))[0] for group in groups])


def as_predictions(query: Query) -> Callable[[Tensor], Tensor]:
    """Find the function from outputs to what a prediction is: probabilities, numbers, or the value of a function.

    Args:
        query: Query to explain.

    Returns:
        Function of outputs of any leading shape; labels that do not exclude each other get a column for either answer.
    """
    bound = query.bound
    label = label_target(bound)

    def read(outputs: Float[Tensor, "*row output"]) -> Float[Tensor, "*row class"]:
        flat = outputs.flatten(0, -2)
        if label is None:
            inner = bound.target if isinstance(bound, AtStep) else bound
            return torch.stack([inner(part) for part in flat.split(len(query.x))]).reshape(*outputs.shape[:-1], 1)
        kind = label.kind(flat)
        if kind == "numbers":
            return outputs
        columns, kind = as_classes(flat, kind)
        chances = probability(columns, kind)
        if kind.startswith("independent"):
            chances = torch.cat([chances, 1 - chances], 1)
        return chances.reshape(*outputs.shape[:-1], -1)

    return read


def measure_distance(
    kind: Distance, p: Float[Tensor, "*row class"], q: Float[Tensor, "*row class"]
) -> Float[Tensor, "*row"]:
    """Measure the distance between predictions.

    Args:
        kind: "difference" for the sum of absolute differences, "kl" for the Kullback-Leibler divergence of p from q,
            "js" for the Jensen-Shannon divergence, in nats.
        p: Predictions.
        q: Predictions, which broadcast to p.

    Returns:
        Distances in double precision.

    Example:
        >>> p, q = torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])
        >>> [round(float(measure_distance(kind, p, q)), 4) for kind in ("difference", "kl", "js")]
        [1.0, 0.6931, 0.2158]
    """
    p, q = p.double(), q.double()
    if kind == "difference":
        return (p - q).abs().sum(-1)
    if kind == "kl":
        return _divergence(p, q)
    return (_divergence(p, (p + q) / 2) + _divergence(q, (p + q) / 2)) / 2


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    tiny = torch.finfo(torch.float32).tiny
    return (p * (p.clamp_min(tiny).log() - q.clamp_min(tiny).log())).sum(-1)
