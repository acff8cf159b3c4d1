"""Captum: any of its explainers of inputs as a method of perdure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from perdure.attribution._background import Background, match_background, set_background
from perdure.attribution._captum.explainers import DEEP_LIFT, accepts, explainer_context, find_explainer, split_settings
from perdure.attribution._captum.forward_module import make_leaf
from perdure.attribution._captum.rescale_rule import check_rows, warn_if_incomplete, with_single_weights
from perdure.attribution._valid_steps import explain_by_length, explain_each
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.random import seed_libraries
from perdure.ops.baseline import Baseline, baseline_of, nan_errors, set_baseline

__all__ = ["Captum"]

TOGETHER = ("FeatureAblation", "InputXGradient", "IntegratedGradients", "Occlusion", "Saliency")
"""Explainers that draw nothing and never mix samples, so that a batch can be explained at once."""

BACKGROUNDS = ("GradientShap", "DeepLiftShap")
"""Explainers that compare with several samples."""


@dataclass(frozen=True)
class Captum:
    r"""Call an explainer of Captum, by the name of its class and with its own settings.

    .. math:: a = A(x, x'), \quad A \text{ as published by Captum for the scalar } S

    The guarantees of perdure hold here too: the model runs in evaluation mode and left as it was, every sample is
    cut to its valid steps and draws from its own stream, and passes are counted. An explainer that would be wrong
    without a word, such as DeepLIFT of an LSTM, is refused. Costs are those of Captum.

    Args:
        explainer: name of a class in `captum.attr` that explains inputs.
        settings: its arguments by Captum's names, of the class or of `attribute`; lists stand for tuples.
        background: Samples shaped like the inputs, for GradientShap and DeepLiftShap.
        baseline: Input to compare with where the explainer takes baselines and there is no background.

    Raises:
        UnknownNameError: when there is no such explainer of inputs.
        SettingError: for a setting that it does not know.

    Reference:
        kokhlikyan2020captum

    Example:
        >>> from perdure.attribution._attribute import attribute
        >>> import torch
        >>> model = torch.nn.Linear(2, 2, bias=False)
        >>> _ = torch.nn.init.constant_(model.weight, 3.0)
        >>> method = "captum:explainer=FeatureAblation"
        >>> attribute(model, torch.tensor([[1.0, 2.0]]), method, target=torch.tensor([0])).values.tolist()
        [[3.0, 6.0]]
    """

    explainer: str = "IntegratedGradients"
    settings: Mapping[str, Any] | None = None
    background: Background = None
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_baseline(self)
        set_background(self)
        cls = find_explainer(self.explainer)
        split_settings(cls, self.settings or {})
        if self.baseline != "zero" and not accepts(cls, "baselines"):
            raise SettingError(f"Captum's {self.explainer} has no baseline", "leave baseline out")
        if self.background is None and self.explainer == "DeepLiftShap":
            raise SettingError("Captum's DeepLiftShap compares with a background", "give background=, or use DeepLift")
        if self.background is not None and self.explainer not in BACKGROUNDS:
            raise SettingError(
                f"Captum's {self.explainer} compares with one baseline, not with a background",
                f"give baseline=, or choose {' or '.join(BACKGROUNDS)}",
            )

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Call the explainer.

        Args:
            query: the question; its seeds make the draws.

        Returns:
            What Captum gives.

        Raises:
            UnsupportedError: when the explainer cannot explain this model.
            ShapeError: when the background does not fit the inputs.

        Warns:
            CompletenessWarning: when a map of DeepLIFT does not sum to the change of the target.
        """
        query = with_single_weights(query) if self.explainer in DEEP_LIFT else query
        return (explain_by_length if self.explainer in TOGETHER else explain_each)(query, self._map)

    def _map(self, query: Query) -> Tensor:
        cls, x = find_explainer(self.explainer), make_leaf(query.x)
        made, arguments = split_settings(cls, self.settings or {})
        if accepts(cls, "perturbations_per_eval"):
            arguments = {"perturbations_per_eval": max(1, query.rows // len(x)), **arguments}
        if accepts(cls, "internal_batch_size"):
            arguments = {"internal_batch_size": max(query.rows, len(x)), **arguments}
        references = self._references(query) if accepts(cls, "baselines") else None
        if references is not None:
            arguments = {"baselines": references, **arguments}
        if self.explainer in DEEP_LIFT and references is not None:
            check_rows(query, 2 * max(len(x), len(references)))
        seeded = seed_libraries(int(query.seeds[0]), query.x.device)
        with explainer_context(query, self.explainer) as scalar, seeded, nan_errors(self, query):
            values: Tensor = cls(scalar, **made).attribute(x, **arguments)
        values = values.detach()
        if references is not None and self.explainer in DEEP_LIFT and made.get("multiply_by_inputs", True):
            warn_if_incomplete(values, query.value(query.x), query.value(references[:, None]).mean(0))
        return values

    def _references(self, query: Query) -> Tensor:
        if self.background is not None:
            return match_background(self.background, query, least=2 if self.explainer == "DeepLiftShap" else 1)
        return baseline_of(self.baseline, query)
