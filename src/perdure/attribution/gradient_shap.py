"""Gradient SHAP: gradients at random points between a background and the input."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from perdure.attribution._background import Background, match_background, set_background
from perdure.attribution._captum.forward_module import as_forward_module, import_captum, make_leaf
from perdure.attribution._valid_steps import explain_each
from perdure.core.check import check_counts
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.random import seed_libraries
from perdure.ops.baseline import Baseline, baseline_of, set_baseline

__all__ = ["GradientSHAP"]


@dataclass(frozen=True)
class GradientSHAP:
    r"""Average gradient times change over random references and random points on the way from them.

    .. math:: a_i = \frac1n \sum_{k=1}^{n} (x_i + \epsilon_{ki} - x'_{ki}) \,
        \frac{\partial S(x'_k + t_k (x + \epsilon_k - x'_k))}{\partial x_i}, \quad t_k \sim U(0, 1)

    With a single reference and no noise this is integrated gradients by chance instead of by quadrature. `samples`
    forward and as many backward passes per sample, through Captum.

    Args:
        background: Samples shaped like the inputs, such as some of those the model was trained on, from which
            references are drawn; None for the baseline alone.
        samples: random points.
        noise: Standard deviation of the noise on the input, as a fraction of the range of the sample.
        baseline: the reference when there is no background.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        lundberg2017unified
    """

    background: Background = None
    samples: int = 20
    noise: float = 0.0
    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        check_counts(samples=self.samples)
        set_baseline(self)
        set_background(self)
        if not self.noise >= 0:
            raise SettingError(f"noise is {self.noise}", "give a fraction of the range of at least 0")

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Draw points for each sample and differentiate there.

        Args:
            query: the question; its seeds make the draws.

        Returns:
            The mean products.

        Raises:
            ShapeError: when the background does not fit the inputs.
        """
        return explain_each(query, self._map)

    def _map(self, query: Query) -> Tensor:
        start = baseline_of(self.baseline, query)
        references = start if self.background is None else match_background(self.background, query)
        scale = self.noise * float(query.x.max() - query.x.min())
        with as_forward_module(query) as scalar, seed_libraries(int(query.seeds[0]), query.x.device):
            explainer = import_captum().GradientShap(scalar)
            values: Tensor = explainer.attribute(make_leaf(query.x), references, n_samples=self.samples, stdevs=scale)
        return values.detach()
