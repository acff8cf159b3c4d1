"""Bidirectional recurrences as pairs of plain ones, so that nothing is computed that nobody reads."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, cat, nn

from perdure.ops.sequence import last_valid, reverse_valid

__all__ = ["Bidirectional", "recurrence"]

Kind = type[nn.RNN | nn.GRU | nn.LSTM]


class Bidirectional(nn.Module):
    """Read a series forwards and backwards, layer by layer.

    Each direction is a recurrence of its own: on a CPU the two together take half the time of one bidirectional
    module, and padding needs no packing. The last output needs a single step of the backward direction.

    Args:
        kind: The recurrence.
        features: Of each step.
        hidden_size: Width of the state, in each direction.
        layers: Pairs on top of each other.
    """

    def __init__(self, kind: Kind, features: int, hidden_size: int, layers: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        widths = [features, *[2 * hidden_size] * (layers - 1)]
        self.ahead = nn.ModuleList(kind(width, hidden_size, batch_first=True) for width in widths)
        self.back = nn.ModuleList(kind(width, hidden_size, batch_first=True) for width in widths)

    def forward(
        self, x: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch time output"]:
        """Run both directions over all steps.

        Args:
            x: The series.
            mask: True at valid steps; None when all are.

        Returns:
            The outputs of both directions at each step; at padded steps they mean nothing.
        """
        for layer in range(len(self.ahead)):
            x = self._layer(layer, x, mask)
        return x

    def last(
        self, x: Float[Tensor, "batch time feature"], mask: Bool[Tensor, "batch time"] | None = None
    ) -> Float[Tensor, "batch output"]:
        """Give the outputs at the last valid step, of which the backward direction has read this step only.

        Args:
            x: The series.
            mask: True at valid steps; None when all are.

        Returns:
            The same as `forward` at that step.
        """
        for layer in range(len(self.ahead) - 1):
            x = self._layer(layer, x, mask)
        return self.beside(x, self.ahead[-1](x)[0], mask)

    def beside(
        self,
        x: Float[Tensor, "batch time feature"],
        ahead: Float[Tensor, "batch time hidden"],
        mask: Bool[Tensor, "batch time"] | None = None,
    ) -> Float[Tensor, "batch output"]:
        """Put the backward direction of the last layer beside the forward one, at the last valid step.

        Args:
            x: What the last layer reads.
            ahead: The outputs of its forward direction.
            mask: True at valid steps; None when all are.

        Returns:
            The same as `last`.
        """
        one_step = self.back[-1](last_valid(x, mask)[:, None])[0][:, 0]
        return cat([last_valid(ahead, mask), one_step], dim=1)

    def _layer(self, layer: int, x: Tensor, mask: Tensor | None) -> Tensor:
        backwards = self.back[layer](reverse_valid(x, mask))[0]
        return cat([self.ahead[layer](x)[0], reverse_valid(backwards, mask)], dim=2)


def recurrence(
    kind: Kind, features: int, hidden_size: int, layers: int, *, both_ways: bool
) -> nn.RNNBase | Bidirectional:
    """Make a recurrence that reads in one direction or in both.

    Args:
        kind: Of the recurrence.
        features: Of each step.
        hidden_size: Width of the state, in each direction.
        layers: On top of each other.
        both_ways: Whether to read backwards too.

    Returns:
        The recurrence; one direction is torch's own module.
    """
    if both_ways:
        return Bidirectional(kind, features, hidden_size, layers)
    return kind(features, hidden_size, num_layers=layers, batch_first=True)
