"""Small networks whose exact contributions have a closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from math import factorial
from types import MappingProxyType
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.outputs import Outputs
from perdure.ops.position import Granularity, to_positions, to_sites
from perdure.ops.sequence import site_mask

__all__ = ["PlantedModel"]

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"identity": torch.nn.Identity(), "relu": torch.relu, "tanh": torch.tanh}
)


class PlantedModel(nn.Module):
    r"""A network that reads small windows of the input and adds what it finds in them.

    .. math:: z_k(x) = \sum_h A_{kh} \sum_w \phi\Big(\sum_{i \in w} B_{whi} \, x_i + c_h\Big)

    As windows are small, the Shapley value of each player, a number or all numbers of a position, is an average
    over all subsets of a window and exact. With a saturation s the logits are :math:`s \tanh(z / s)`; the contributions
    then share out the saturated logit in proportion, as the Aumann-Shapley value does.

    Args:
        window: Players of each window, as indices into the flattened elements or positions; shape (window, player).
        weight: Weights B of the elements of a window, shape (window or 1, hidden, player, number); one row for the
            same weights in all windows.
        bias: Offsets c of the hidden units.
        readout: Weights A, shape (class, hidden).
        activation: Function of a hidden unit: "identity", "relu" or "tanh".
        granularity: "element" where each number is a player, "position" where all numbers of a position are one.
        saturation: Largest absolute value of a logit; None for any.
        embedding: Vectors of token ids; None for other inputs.
    """

    outputs: ClassVar[Outputs] = "logits"

    window: Tensor

    def __init__(
        self,
        window: Int[Tensor, "window player"],
        weight: Float[Tensor, "windows hidden player number"],
        bias: Float[Tensor, " hidden"],
        readout: Float[Tensor, "classes hidden"],
        *,
        activation: str = "identity",
        granularity: Granularity = "element",
        saturation: float | None = None,
        embedding: Float[Tensor, "word feature"] | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("window", window)
        self.hidden = nn.ParameterDict({"weight": nn.Parameter(weight), "bias": nn.Parameter(bias)})
        self.readout = nn.ParameterDict({"weight": nn.Parameter(readout)})
        self.activation, self.granularity = ACTIVATIONS[activation], granularity
        self.saturation = saturation
        self.embedding = None if embedding is None else _embed(embedding)
        self.eval()

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Embed token ids."""
        if self.embedding is None:
            raise TypeError("this planted model reads numbers, not token ids")
        return self.embedding(ids)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "batch classes"]:
        """Compute the logits of samples.

        Args:
            x: Samples, or token ids.
            lengths: Valid steps of each sample; padded ones contribute nothing.

        Returns:
            Logits.
        """
        x = x if x.is_floating_point() else self.embed(x)
        units = self._activate(self._gather(_blank_padding(x, lengths))).sum(1)
        logits = units @ self.readout["weight"].T
        return logits if self.saturation is None else self.saturation * torch.tanh(logits / self.saturation)

    @torch.no_grad()
    def contributions(
        self, x: Float[Tensor, "batch *site"], label: Int[Tensor, " batch"], lengths: Tensor | None = None
    ) -> Float[Tensor, "batch *site"]:
        """Compute the Shapley value of each player for the logit of a class, with zero as the baseline.

        Args:
            x: Samples.
            label: Class of each sample.
            lengths: Valid steps of each sample.

        Returns:
            Contributions, those of a position divided equally among its numbers; their sum is the logit.
        """
        parts = self._gather(_blank_padding(x, lengths))
        size = parts.shape[2]
        present = torch.tensor(list(product((0.0, 1.0), repeat=size)), dtype=x.dtype)
        values = torch.stack([self._activate(parts * row[:, None]) for row in present])
        units = torch.einsum("ps,sbwh->bpwh", _shapley_weights(present), values)
        of_class = torch.einsum("bpwh,bh->bwp", units, self.readout["weight"][label])
        players = to_positions(x) if self.granularity == "position" else x
        flat = torch.zeros_like(players.flatten(1))
        flat.index_add_(1, self.window.flatten(), of_class.flatten(1))
        result = flat.reshape(players.shape)
        if self.saturation is not None:
            total = result.flatten(1).sum(1)
            logit = self.saturation * torch.tanh(total / self.saturation)
            result = result * (logit / total).reshape(-1, *[1] * (result.ndim - 1))
        return to_sites(result, x) / (x.numel() / result.numel()) if self.granularity == "position" else result

    def _gather(self, x: Tensor) -> Float[Tensor, "batch window player number"]:
        if self.granularity == "element":
            return x.flatten(1)[:, self.window][..., None]
        numbers = x if x.ndim == 3 else x.flatten(2).transpose(1, 2)
        return numbers[:, self.window]

    def _activate(self, parts: Float[Tensor, "batch window player number"]) -> Float[Tensor, "batch window hidden"]:
        """Compute the hidden units of each window, less those of an empty one."""
        bias = self.hidden["bias"]
        sums = torch.einsum("bwpn,whpn->bwh", parts, self.hidden["weight"].expand(parts.shape[1], -1, -1, -1))
        return self.activation(sums + bias) - self.activation(bias)


def _embed(vectors: Float[Tensor, "word feature"]) -> nn.Embedding:
    layer = nn.Embedding(len(vectors), vectors.shape[1], _weight=vectors)
    layer.weight.requires_grad_(False)
    return layer


def _blank_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return x
    steps = torch.arange(x.shape[1], device=x.device)
    return x * site_mask(steps < lengths[:, None], x)


def _shapley_weights(present: Float[Tensor, "subset player"]) -> Float[Tensor, "player subset"]:
    """Weigh the value of each subset in the Shapley value of each player."""
    size = present.shape[1]
    weight = torch.zeros(size, len(present), dtype=present.dtype)
    for number, row in enumerate(present.int().tolist()):
        for player in range(size):
            before = sum(row) - row[player]
            chance = factorial(before) * factorial(size - before - 1) / factorial(size)
            weight[player, number] = chance if row[player] else -chance
    return weight
