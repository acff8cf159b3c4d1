"""LIME: a linear model of what the model does around one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from perdure.attribution._captum.feature_groups import GroupAblation
from perdure.attribution._captum.forward_module import as_forward_module, import_captum
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.random import seed_libraries

__all__ = ["LIME"]

FITTING = 20_000
"""Most rounds of the fit; few samples of a large target need more than the thousand of scikit-learn."""


@dataclass(frozen=True)
class LIME(GroupAblation):
    r"""Switch groups of sites off at random and fit a sparse linear model to what the target does.

    .. math:: w = \arg\min_{w, b} \sum_k \pi(x, x_k) \, (S(x_k) - b - w \cdot z_k)^2 + \text{penalty} \, |w|_1

    :math:`z_k` shows which groups are on, each with probability one half, and :math:`\pi = \exp(-d^2 / 2 \sigma^2)` of
    the cosine distance. The weight of a group is shared evenly among its sites. `samples` forward passes per sample,
    through Captum.

    Args:
        samples: random switchings.
        penalty: Penalty of the L1 norm, in units of the target; 0 for least squares.
        kernel_width: sigma, in units of the cosine distance.
        window: positions in a group along each axis; None for steps, features of a table, and an eighth of an image.
        granularity: "position" for groups with all their features or channels, "element" for each by itself.
        baseline: Value where a group is off.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        ribeiro2016why

    Notes:
        Captum fits in single precision. Groups are cells of a grid, not superpixels.
    """

    samples: int = 200
    penalty: float = 0.01
    kernel_width: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_counts(samples=self.samples)
        if not (self.penalty >= 0 and self.kernel_width > 0):
            raise SettingError(
                f"penalty is {self.penalty} and kernel_width {self.kernel_width}",
                "give a penalty of at least 0 and a kernel width above 0",
            )

    def attribute_groups(self, query: Query, start: Tensor, groups: Tensor) -> Tensor:
        """Fit a linear model to the sample.

        Args:
            query: about one sample; its seeds make the draws.
            start: Value where a group is off.
            groups: the number of the group of each site.

        Returns:
            The weight of each group.
        """
        with as_forward_module(query) as scalar, seed_libraries(int(query.seeds[0]), query.x.device):
            values: Tensor = self._explainer(scalar).attribute(
                query.x,
                start,
                feature_mask=groups,
                n_samples=self.samples,
                perturbations_per_eval=min(self.samples, query.rows),
            )
        return values

    def _explainer(self, scalar: Any) -> Any:
        attr = import_captum()
        from captum._utils.models.linear_model import SkLearnLasso, SkLearnLinearRegression
        from captum.attr._core.lime import get_exp_kernel_similarity_function

        surrogate = SkLearnLasso(alpha=self.penalty, max_iter=FITTING) if self.penalty else SkLearnLinearRegression()
        return attr.Lime(scalar, surrogate, get_exp_kernel_similarity_function("cosine", self.kernel_width))
