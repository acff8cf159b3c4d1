"""Grad-CAM: where the channels of a layer fire that the target is sensitive to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from perdure.attribution._captum.forward_module import as_forward_module, import_captum, make_leaf, require_module
from perdure.attribution._layer import find_layer
from perdure.attribution._valid_steps import explain_by_length
from perdure.core.errors import UnsupportedError
from perdure.core.query import Query
from perdure.ops.position import position_shape, shared_axis, to_sites

__all__ = ["GradCAM"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
MODES = {1: "linear", 2: "bilinear"}
"""How a map is brought to the size of the inputs, by the number of its axes."""


@dataclass(frozen=True)
class GradCAM:
    r"""Weight the channels of a layer by their mean gradient, sum them, and resize the map to the inputs.

    .. math:: a = \operatorname{resize}\Big(\operatorname{ReLU} \sum_k \bar g_k \, A_k\Big), \quad
        \bar g_k = \operatorname{mean}_u \partial S / \partial A_k(u)

    All channels of a pixel, and all features of a step, get the value of their position. One forward and one
    backward pass per sample, through Captum.

    Args:
        layer: name of a module as in `model.named_modules()`; None for the last convolution.
        relu: whether evidence against the target is set to zero, as in the paper, or kept with its sign.

    Reference:
        selvaraju2017gradcam

    Notes:
        Captum resizes to the nearest pixel; this is (bi)linear, as in the paper. The last convolution is the one that
        is registered last in the model.
    """

    layer: str | None = None
    relu: bool = True

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Run the layer once.

        Args:
            query: the question; its model must hold a convolution, or `layer` be named.

        Returns:
            The resized map.

        Raises:
            UnknownNameError: when the model has no such layer.
            UnsupportedError: without a convolution, or when the output of the layer has no positions.
        """
        layer = self._layer(require_module(query, "Grad-CAM"))
        return explain_by_length(query, lambda item: self._map(item, layer))

    def _layer(self, model: nn.Module) -> nn.Module:
        if self.layer is not None:
            return find_layer(model, self.layer)
        result = [module for module in model.modules() if isinstance(module, CONVOLUTIONS)]
        if not result:
            raise UnsupportedError(
                f"{type(model).__name__} holds no convolution for Grad-CAM",
                "name a layer whose output is (batch, channel, *position) with layer=, or use another method",
            )
        return result[-1]

    def _map(self, query: Query, layer: nn.Module) -> Tensor:
        with as_forward_module(query) as scalar:
            result = (
                import_captum().LayerGradCam(scalar, layer).attribute(make_leaf(query.x), relu_attributions=self.relu)
            )
        size = _positions(query.x, result)
        resized = interpolate(result.detach(), size=size, mode=MODES[len(size)], align_corners=False)[:, 0]
        return resized if resized.ndim == query.x.ndim else to_sites(resized, query.x)


def _positions(x: Tensor, result: Any) -> tuple[int, ...]:
    """Find the axes of the inputs that the axes of a layer's map belong to."""
    axis = shared_axis(x)
    sites, positions = tuple(x.shape[1:]), tuple(n for i, n in enumerate(x.shape) if i not in (0, axis))
    if isinstance(result, Tensor) and result.ndim > 2:
        for size in (positions, sites):
            if len(size) == result.ndim - 2 and len(size) in MODES:
                return size
    shape = tuple(result.shape) if isinstance(result, Tensor) else type(result).__name__
    raise UnsupportedError(
        f"the layer gives a map {shape} for inputs with positions {position_shape(x)}",
        "name a layer whose output is (batch, channel, *position), such as a convolution",
    )
