"""DeepLIFT: differences from a baseline, passed back through the layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from perdure.attribution._captum.forward_module import import_captum, make_leaf
from perdure.attribution._captum.rescale_rule import (
    check_rows,
    mixes_samples,
    rescale_context,
    warn_if_incomplete,
    with_single_weights,
)
from perdure.attribution._valid_steps import explain_each
from perdure.core.query import Query, slice_query
from perdure.ops.baseline import Baseline, baseline_of, set_baseline

__all__ = ["DeepLIFT"]


@dataclass(frozen=True)
class DeepLIFT:
    r"""Share out the change of the target among the changes of the inputs, with the rescale rule.

    .. math:: a_i = (x_i - x'_i) \, m_i, \quad
        m \text{ passes activation } f \text{ as } \frac{f(z) - f(z')}{z - z'} \text{ instead of } f'(z)

    The map should sum to :math:`S(x) - S(x')`; this is checked. Two forward passes and two backward ones per sample
    through Captum, and two more forward for the check.

    Args:
        baseline: Input to compare with.

    Raises:
        SettingError: for a value that cannot be used.

    Reference:
        shrikumar2017learning

    Notes:
        Models with max pooling or softmax are explained sample by sample, as Captum's rules for them mix a batch.
    """

    baseline: Baseline = "zero"

    def __post_init__(self) -> None:
        set_baseline(self)

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Compare with the baseline.

        Args:
            query: the question; its model must use each activation module once, and hold no recurrence.

        Returns:
            The contributions.

        Raises:
            UnsupportedError: when the model cannot be explained in this way.

        Warns:
            CompletenessWarning: when a map does not sum to the change of the target.
        """
        check_rows(query)
        query = with_single_weights(query)
        values = explain_each(query, self._map) if mixes_samples(query) else self._in_parts(query)
        start = baseline_of(self.baseline, query)
        warn_if_incomplete(values, *query.value(torch.stack([query.x, start])))
        return values

    def _in_parts(self, query: Query) -> Tensor:
        """Explain as many samples at once as fit into a call together with their baselines."""
        size = query.rows // 2
        parts = (slice(i, i + size) for i in range(0, len(query.x), size))
        return torch.cat([self._map(slice_query(query, index)) for index in parts])

    def _map(self, query: Query) -> Tensor:
        start = baseline_of(self.baseline, query)
        with rescale_context(query) as scalar:
            values: Tensor = import_captum().DeepLift(scalar).attribute(make_leaf(query.x), start)
        return values.detach()
