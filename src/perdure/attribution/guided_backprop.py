"""Guided backpropagation: gradients that only climb."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._captum.forward_module import (
    as_forward_module,
    import_captum,
    make_leaf,
    require_module,
    with_copied_inputs,
)
from perdure.core.errors import UnsupportedError
from perdure.core.query import Query

__all__ = ["GuidedBackprop"]


@dataclass(frozen=True)
class GuidedBackprop:
    r"""Differentiate the target, but stop negative gradients at every ReLU on the way back.

    .. math:: R^{l}_i = [f^{l}_i > 0] \, [R^{l+1}_i > 0] \, R^{l+1}_i

    The maps are crisp, and nearly the same whatever the weights of the upper layers. One forward and one backward
    pass per sample, through Captum.

    Reference:
        springenberg2015striving

    Notes:
        Only `nn.ReLU` modules are guided; `torch.relu` inside a forward function is not seen. Where the input of a
        ReLU also goes round it, Captum alone guides the gradient of both ways; here only that through the ReLU.
    """

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Differentiate once, guided.

        Args:
            query: the question; its model must hold ReLU modules.

        Returns:
            The guided gradient.

        Raises:
            UnsupportedError: when the model has no `nn.ReLU`, so that nothing would be guided.
        """
        model = require_module(query, "guided backpropagation")
        if not any(isinstance(module, nn.ReLU) for module in model.modules()):
            raise UnsupportedError(
                f"{type(model).__name__} holds no nn.ReLU, so guided backpropagation would be the plain gradient",
                "use the method 'gradient', or write torch.relu in the model as an nn.ReLU module",
            )
        with with_copied_inputs(model, (nn.ReLU,)), as_forward_module(query) as scalar:
            values: Tensor = import_captum().GuidedBackprop(scalar).attribute(make_leaf(query.x))
        return values
