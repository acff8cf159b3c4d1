"""FIT: how much of the change of a prediction at each step one feature explains."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._background import Background
from perdure.attribution._counterfactuals import (
    Counterfactuals,
    as_predictions,
    measure_distance,
    predict_prefixes,
    set_values,
)
from perdure.attribution._prefixes import group_prefixes, require_series
from perdure.core.check import check_counts
from perdure.core.errors import UnsupportedError
from perdure.core.query import Query
from perdure.core.target import label_target

__all__ = ["FIT"]


@dataclass(frozen=True)
class FIT:
    r"""Compare the change of the prediction at a step with what is left of it when one feature alone is observed.

    .. math:: I(d, t) = KL(p(y | x_{1:t}) \, \| \, p(y | x_{1:t-1}))
        - E \, KL(p(y | x_{1:t}) \, \| \, p(y | x_{1:t-1}, x_{d,t}, \hat x_{-d,t}))

    All other features of the step are replaced. Values are in nats; those of the first step, before which there is no
    prediction, are zero. A recurrent model resumes from the state before each step, and all steps, features and draws
    are a batch.

    Args:
        draws: Draws from the background for each replaced value.
        background: Samples from which replacements are drawn, each feature by itself; None to carry the value of the
            step before forward.

    Raises:
        SettingError: For a value that cannot be used.
        UnsupportedError: For inputs that are no series, and for outputs that are no probabilities.

    Reference:
        tonekaboni2020what

    Notes:
        The published method draws from a generator that is trained on the data, and depends on it; the published code
        maps values v to 2 / (1 + exp(-5 v)) - 1, which keeps their order. The map does not depend on the label.

    Example:
        >>> from perdure.core.target import Logit
        >>> x = torch.tensor([[[0.0, 0.0], [2.0, 1.0]]])
        >>> model = lambda x: torch.stack([x[:, -1, 0], torch.zeros(len(x))], 1)
        >>> FIT().scores(Query(model, x, Logit(torch.tensor([0])))).round(decimals=3)[0, 1].tolist()
        [0.328, 0.0]
    """

    draws: int = 10
    background: Background = None

    def __post_init__(self) -> None:
        check_counts(draws=self.draws)
        set_values(self)

    def scores(self, query: Query) -> Float[Tensor, "batch time feature"]:
        """Compare the predictions after each step.

        Args:
            query: Query to explain; its seeds draw from the background.

        Returns:
            The part of the change that each feature explains.
        """
        require_series(query, "fit")
        label = label_target(query.bound)
        if label is None or label.outputs == "numbers":
            raise UnsupportedError(
                "'fit' compares probabilities, and the target is no class of the model",
                "use 'winit', or a target of a class",
            )
        counterfactuals = Counterfactuals(query, self.background, self.draws)
        whole = predict_prefixes(query, counterfactuals)
        result = torch.zeros(query.x.shape, dtype=torch.float64, device=query.x.device)
        features, read = query.x.shape[2], as_predictions(query)
        observed = torch.eye(features, dtype=torch.bool, device=query.x.device)[:, None, None, None, None]
        for group in group_prefixes(query, list(range(1, len(whole))), 1, counterfactuals.copies * features):
            kept, replaced = counterfactuals.keep(group.ends, 1), counterfactuals.take(group.ends, 1)
            tails = torch.where(observed, kept, replaced)
            predictions = read(group.outputs(tails.flatten(0, 1))).unflatten(0, tails.shape[:2])
            after, before = whole[group.ends], whole[group.ends - 1]
            left = measure_distance("kl", after, predictions).mean(1)
            result[:, group.ends] = (measure_distance("kl", after, before) - left).permute(2, 1, 0)
        return result
