"""The generator of input-level bottlenecks: inputs that are partly kept and partly noise."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from perdure.attribution.iba.noise import Noise
from perdure.ops.information import mask_from_logits
from perdure.ops.position import shared_axis

__all__ = ["Generator", "make_generator"]


@dataclass(frozen=True, eq=False)
class Generator:
    r"""A mask of the input and the noise that replaces the rest, for each sample.

    .. math:: x_G = m x + (1 - m) (\mu + \sigma (u + e z)), \quad m = \sigma(M), \; z \sim N(0, 1)

    The three tensors are what is learnt; an optimiser writes to them.

    Args:
        logit: Logit M of the mask, shaped like the inputs.
        shift: u, one per channel of an image, per step of a series.
        scale: e, shaped like `shift`.
        noise: Natural noise of the inputs, whose mean and standard deviation are :math:`\mu` and :math:`\sigma`.
    """

    logit: Float[Tensor, "batch *site"]
    shift: Float[Tensor, "batch *channel"]
    scale: Float[Tensor, "batch *channel"]
    noise: Noise

    @property
    def parameters(self) -> list[Tensor]:
        """What is learnt."""
        return [self.logit, self.shift, self.scale]

    def points(
        self, x: Float[Tensor, "batch *site"], z: Float[Tensor, "copies batch *site"]
    ) -> Float[Tensor, "copies batch *site"]:
        """Generate inputs.

        Args:
            x: the true ones.
            z: standard normal noise.

        Returns:
            One generated input for each copy of the noise.
        """
        mask = mask_from_logits(self.logit)
        return mask.keep * x + mask.drop * self._noise(z)

    def pull_back(
        self,
        x: Float[Tensor, "batch *site"],
        z: Float[Tensor, "copies batch *site"],
        gradient: Float[Tensor, "copies batch *site"],
    ) -> list[Tensor]:
        """Take a gradient at generated inputs back to what is learnt.

        Args:
            x: the true inputs.
            z: the noise that they were generated from.
            gradient: Gradient at the generated inputs.

        Returns:
            The gradients of logit, shift and scale, summed over copies.
        """
        mask = mask_from_logits(self.logit)
        dropped = gradient * mask.drop * self.noise.std
        axes = _shared_axes(x)
        return [
            (gradient * (x - self._noise(z))).sum(0) * mask.keep * mask.drop,
            dropped.sum(0).sum(axes, keepdim=True),
            (dropped * z).sum(0).sum(axes, keepdim=True),
        ]

    def _noise(self, z: Tensor) -> Tensor:
        return self.noise.mean + self.noise.std * (self.shift + self.scale * z)


def make_generator(x: Float[Tensor, "batch *site"], logit: Float[Tensor, "batch *site"], noise: Noise) -> Generator:
    """Begin with a mask and natural noise.

    Args:
        x: the inputs.
        logit: Logit of the mask, copied.
        noise: Noise of the inputs.

    Returns:
        A generator with shift 0 and scale 1.
    """
    shift = x.new_zeros(x.shape).sum(_shared_axes(x), keepdim=True)
    return Generator(logit.clone(), shift, shift + 1, noise)


def _shared_axes(x: Tensor) -> tuple[int, ...]:
    """Name the axes that share a shift: rows and columns of an image, features of a step."""
    return (2, 3) if x.ndim == 4 else (shared_axis(x) or 1,)
