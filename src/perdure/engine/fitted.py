"""Methods that must see samples of a model before they can explain it."""

from __future__ import annotations

from torch import nn

from perdure.core.batch import Batch, select
from perdure.core.method import Method, NeedsFit
from perdure.core.threads import one_thread
from perdure.models._embed import embed_batch

__all__ = ["SEEN", "prepared"]

SEEN = 1000
"""The most samples that a method sees."""


def prepared(method: Method, model: nn.Module, batch: Batch) -> Method:
    """Fit a method that must see samples first; any other comes back as it is.

    The same model and samples give the same method, so one that was fitted to explain can be made again to judge.

    Args:
        method: Of any kind.
        model: That will be explained.
        batch: Samples like those that will be explained, of which none should be; the first 1000 are shown.

    Returns:
        A method that can explain the model.

    Example:
        >>> from perdure.attribution.input_iba import InputIBA
        >>> import torch
        >>> batch = Batch(torch.randn(4, 3, 2), torch.zeros(4).long())
        >>> prepared(InputIBA(), nn.Flatten(), batch).is_fitted
        True
    """
    if not isinstance(method, NeedsFit) or method.is_fitted:
        return method
    with one_thread():
        return method.fit(model, embed_batch(model, select(batch, slice(0, SEEN))))
