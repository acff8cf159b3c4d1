"""A cached forward pass with its autograd graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from perdure.core.call import Side, call_model, side_inputs
from perdure.core.evaluation import evaluation

__all__ = ["CachedForward", "forward_with_graph"]


@dataclass(frozen=True, eq=False)
class CachedForward:
    """The outputs of a model for some inputs, with the autograd graph between them.

    Args:
        x: Inputs, a leaf of the graph.
        outputs: Outputs of the model.
    """

    x: Float[Tensor, "batch *site"]
    outputs: Float[Tensor, "batch classes"]


def forward_with_graph(
    model: Callable[..., Tensor],
    x: Float[Tensor, "batch *site"],
    lengths: Int[Tensor, " batch"] | None = None,
    side: Side | None = None,
) -> CachedForward:
    """Compute the outputs of a model and keep the autograd graph.

    A caller that needs the prediction before it can choose a target saves a forward pass when the method
    differentiates at the inputs themselves.

    Args:
        model: Model called as `model(x)`, or as `model(x, lengths=lengths)` with lengths; its state is restored.
        x: Inputs; not written to.
        lengths: Number of valid steps of each sample.
        side: Side inputs of each sample; None for those that the model finds for x.

    Returns:
        Outputs and graph, on the device of x.

    Example:
        >>> forward_with_graph(torch.nn.Flatten(), torch.ones(1, 2)).outputs.tolist()
        [[1.0, 1.0]]
    """
    leaf = x.detach().clone().requires_grad_()
    with evaluation(model), torch.enable_grad():
        side = side_inputs(model, x, lengths) if side is None else side
        return CachedForward(leaf, call_model(model, leaf, lengths, side))
