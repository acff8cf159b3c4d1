"""Guided Grad-CAM: fine detail, where a class is seen."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from perdure.attribution.grad_cam import GradCAM
from perdure.attribution.guided_backprop import GuidedBackprop
from perdure.core.query import Query

__all__ = ["GuidedGradCAM"]


@dataclass(frozen=True)
class GuidedGradCAM:
    """Multiply guided backpropagation, which is fine but not of a class, by Grad-CAM, which is of a class but coarse.

    Two forward and two backward passes per sample, through Captum.

    Args:
        layer: Name of a module for Grad-CAM; None for the last convolution.

    Reference:
        selvaraju2017gradcam

    Notes:
        Captum resizes Grad-CAM to the nearest pixel before the product; this is (bi)linear, as in the paper.
    """

    layer: str | None = None

    def scores(self, query: Query) -> Float[Tensor, "batch *site"]:
        """Explain in both ways.

        Args:
            query: the question; its model must hold a convolution and ReLU modules.

        Returns:
            The product.

        Raises:
            UnknownNameError: when the model has no such layer.
            UnsupportedError: when one of the two methods cannot explain the model.
        """
        return GuidedBackprop().scores(query) * GradCAM(self.layer).scores(query)
