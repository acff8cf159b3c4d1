"""The opening of a question: the first pass of its inputs, kept so that it need not be made again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.call import call_model, side_inputs
from perdure.core.evaluation import evaluation

__all__ = ["Opening", "opened"]


@dataclass(frozen=True, eq=False)
class Opening:
    """What a model says to the inputs that will be asked about, with the graph that leads there.

    Args:
        x: the inputs, a leaf of the graph.
        outputs: of the model.
    """

    x: Float[Tensor, "batch *site"]
    outputs: Float[Tensor, "batch classes"]


def opened(
    model: Callable[..., Tensor], x: Float[Tensor, "batch *site"], lengths: Int[Tensor, " batch"] | None = None
) -> Opening:
    """Send inputs through a model and keep the graph.

    Who must know the prediction before it can be explained saves a pass where the method differentiates at the
    inputs themselves.

    Args:
        model: called as `model(x)`, or as `model(x, lengths=lengths)` when there are lengths; left as it was.
        x: the inputs; not written to.
        lengths: valid steps of each sample.

    Returns:
        The opening, on the device of x.

    Example:
        >>> opened(torch.nn.Flatten(), torch.ones(1, 2)).outputs.tolist()
        [[1.0, 1.0]]
    """
    leaf = x.detach().clone().requires_grad_()
    with evaluation(model), torch.enable_grad():
        return Opening(leaf, call_model(model, leaf, lengths, side_inputs(model, x, lengths)))
