"""WinIT: how an observation changes the predictions of a window of later steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._background import Background
from perdure.attribution._counterfactuals import (
    Counterfactuals,
    Distance,
    as_predictions,
    measure_distance,
    predict_prefixes,
    set_values,
)
from perdure.attribution._prefixes import group_prefixes, require_series
from perdure.core.check import check_choice, check_counts
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.method import MethodOutput
from perdure.core.query import Query
from perdure.core.target import label_target

__all__ = ["WinIT"]

Reduction = Literal["mean", "max", "largest"]


@dataclass(frozen=True)
class WinIT:
    r"""Replace a feature over the last steps before each prediction, and compare windows that differ by one step.

    .. math:: i_n(d, b) = E \, g(p(y | x_{1:b}), \; p(y | x_{1:b} \text{ with } d \text{ replaced on } [b - n, b])),
        \quad I_n = i_n - i_{n-1}

    :math:`I_n` is the importance of the feature at step b - n for the prediction at step b; the value of an observation
    is the mean over the predictions in its window. A recurrent model resumes from the states before the replaced steps,
    and all steps, features and draws of one window length are a batch.

    Args:
        window: Number of predictions, from its own step on, for which an observation can matter.
        distance: Distance g of predictions: "difference" of probabilities, "kl" or "js".
        reduction: "mean" or "max" over the predictions, or "largest" for the one with the largest absolute value.
        draws: Draws from the background for each replaced value.
        background: Samples from which replacements are drawn, each feature by itself; None to carry the last value
            before the window forward.

    Raises:
        SettingError: For a value that cannot be used, and for a window longer than the series.
        UnsupportedError: For inputs that are no series.

    Reference:
        leung2023temporal

    Notes:
        The predictions are those of all classes, so the map does not depend on the label. The importance for each
        prediction of the window is `aux["importance"]`, (batch, time, window, feature), zero where the series ends.
        Where no step is before a window, the mean of the feature in the sample is carried forward.

    Example:
        >>> model = lambda x: x[:, -1] + 2 * x[:, -2:-1].sum(1)
        >>> query = Query(model, torch.tensor([[[0.0], [0.0], [1.0], [0.0]]]), lambda outputs: outputs[:, 0])
        >>> WinIT(window=2).scores(query).aux["importance"][0, 2, :, 0].tolist()
        [1.0, 1.0]
    """

    window: int = 10
    distance: Distance = "difference"
    reduction: Reduction = "mean"
    draws: int = 3
    background: Background = None

    def __post_init__(self) -> None:
        check_counts(window=self.window, draws=self.draws)
        check_choice("distance", self.distance, get_args(Distance))
        check_choice("reduction", self.reduction, get_args(Reduction))
        set_values(self)

    def scores(self, query: Query) -> MethodOutput:
        """Compare the predictions with and without the last steps of each feature.

        Args:
            query: Query to explain; its seeds draw from the background.

        Returns:
            The importance of each observation, with that for each prediction of its window.
        """
        require_series(query, "winit")
        batch, steps, features = query.x.shape
        if self.window > steps:
            raise SettingError(
                f"window is {self.window} for series of {steps} steps", "give at most the number of steps"
            )
        _require_classes(query, self.distance)
        counterfactuals = Counterfactuals(query, self.background, self.draws)
        whole = predict_prefixes(query, counterfactuals)
        distances = torch.zeros(self.window, steps, batch, features, dtype=torch.float64, device=query.x.device)
        for n in range(min(self.window, len(whole))):
            distances[n, n : len(whole)] = self._without(query, counterfactuals, whole, n + 1)
        importance = distances.diff(dim=0, prepend=torch.zeros_like(distances[:1]))
        exists = torch.arange(steps) >= torch.arange(self.window)[:, None]
        importance = _by_observation(importance.where(exists[..., None, None].to(query.x.device), 0.0), query)
        return MethodOutput(self._reduce(importance, query), {"importance": importance})

    def _without(
        self, query: Query, counterfactuals: Counterfactuals, whole: Tensor, width: int
    ) -> Float[Tensor, "end batch feature"]:
        """Measure the distance after the last steps of each feature are replaced, for all ends that have as many."""
        features, read, parts = query.x.shape[2], as_predictions(query), []
        only = torch.eye(features, dtype=torch.bool, device=query.x.device)[:, None, None, None, None]
        ends = list(range(width - 1, len(whole)))
        for group in group_prefixes(query, ends, width, counterfactuals.copies * features):
            replaced, kept = counterfactuals.take(group.ends, width), counterfactuals.keep(group.ends, width)
            tails = torch.where(only, replaced, kept)
            predictions = read(group.outputs(tails.flatten(0, 1))).unflatten(0, tails.shape[:2])
            distance = measure_distance(self.distance, whole[group.ends], predictions)
            parts.append(distance.mean(1).permute(1, 2, 0))
        return torch.cat(parts)

    def _reduce(self, importance: Float[Tensor, "batch time window feature"], query: Query) -> Tensor:
        lengths = torch.full((len(query.x),), query.x.shape[1]) if query.lengths is None else query.lengths.cpu()
        left = (lengths[:, None] - torch.arange(query.x.shape[1])).clamp(1, self.window).to(importance.device)
        if self.reduction == "mean":
            return importance.sum(2) / left[..., None]
        if self.reduction == "max":
            ends = torch.arange(self.window, device=left.device) >= left[..., None]
            return importance.masked_fill(ends[..., None], -torch.inf).amax(2)
        return importance.take_along_dim(importance.abs().argmax(2, keepdim=True), 2)[:, :, 0]


def _by_observation(importance: Tensor, query: Query) -> Float[Tensor, "batch time window feature"]:
    """Reorder from the prediction at step b to the observation at step b - n, and leave out predictions in padding."""
    window, steps = importance.shape[:2]
    last = torch.arange(steps)[:, None] + torch.arange(window)
    lengths = torch.full((len(query.x),), steps) if query.lengths is None else query.lengths.cpu()
    values = importance[torch.arange(window), last.clamp_max(steps - 1)].permute(2, 0, 1, 3)
    return values.where((last < lengths[:, None, None])[..., None].to(values.device), 0.0)


def _require_classes(query: Query, distance: Distance) -> None:
    label = label_target(query.bound)
    if distance != "difference" and (label is None or label.outputs == "numbers"):
        raise UnsupportedError(
            f"distance is '{distance}', and the predictions are no probabilities",
            "give distance=difference, or a target of a class",
        )
