"""DeepLIFT SHAP: DeepLIFT, averaged over a background."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._background import Background, match_background, set_background
from perdure.attribution._captum.forward_module import import_captum, make_leaf
from perdure.attribution._captum.rescale_rule import (
    check_rows,
    mixes_samples,
    rescale_context,
    warn_if_incomplete,
    with_single_weights,
)
from perdure.attribution._valid_steps import explain_each
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.random import child_seeds, normal
from perdure.ops.baseline import Baseline, baseline_of, set_baseline

__all__ = ["DeepLIFTSHAP"]


@dataclass(frozen=True)
class DeepLIFTSHAP:
    r"""Average DeepLIFT over the samples of a background, an estimate of Shapley values.

    .. math:: a = \frac1r \sum_{k=1}^{r} \operatorname{DeepLIFT}(x, x'_k)

    The map should sum to the change of the target from the mean over the background; this is checked. With r
    references 2 r forward and 2 r backward passes per sample through Captum, and r + 1 more forward for the check.

    Args:
        background: Samples shaped like the inputs, two or more, such as some of those the model was trained on; None
            for `references` copies of the baseline with noise.
        references: copies of the baseline when there is no background.
        noise: Standard deviation of these copies, as a fraction of the range of the sample.
        baseline: Centre of these copies.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        lundberg2017unified
    """

    background: Background = None
    references: int = 10
    noise: float = 0.1
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_baseline(self)
        set_background(self)
        if self.references < 2 or not self.noise >= 0:
            raise SettingError(
                f"references is {self.references} and noise {self.noise}",
                "give at least 2 references and a fraction of the range of at least 0",
            )

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Compare each sample with its references.

        Args:
            query: the question; its seeds make the noise, its model must be one for DeepLIFT.

        Returns:
            The mean contributions.

        Raises:
            UnsupportedError: when the model cannot be explained in this way.
            ShapeError: when the background does not fit the inputs.

        Warns:
            CompletenessWarning: when a map does not sum to the change of the target.
        """
        check_rows(query)
        return explain_each(with_single_weights(query), self._map)

    def _map(self, query: Query) -> Tensor:
        references = self._references(query)
        size = 1 if mixes_samples(query) else query.rows // 2  # each reference needs a copy of the sample next to it
        values = torch.zeros_like(query.x)
        for chosen in torch.split(references, size):
            copies = make_leaf(query.x.expand(len(chosen), *query.x.shape[1:]))
            with rescale_context(query) as scalar:
                values += import_captum().DeepLift(scalar).attribute(copies, chosen).detach().sum(0)
        values /= len(references)
        warn_if_incomplete(values, query.value(query.x), query.value(references[:, None]).mean(0))
        return values

    def _references(self, query: Query) -> Tensor:
        if self.background is not None:
            return match_background(self.background, query, least=2)
        seeds = torch.cat([child_seeds(query.seeds, k) for k in range(self.references)])
        scale = self.noise * (query.x.max() - query.x.min())
        around = baseline_of(self.baseline, query)
        return around + scale * normal(seeds, tuple(query.x.shape[1:]), query.x)
