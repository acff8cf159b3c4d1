"""Symmetries of networks: units that can change places, or sign, without a change of the function."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.errors import UnsupportedError
from perdure.models.recurrent import RecurrentClassifier
from perdure.ops.params import Params

__all__ = ["Place", "Units", "rearranged", "symmetries"]

_ODD = (nn.Tanh, nn.Hardtanh, nn.Softsign, nn.Tanhshrink, nn.Identity)
_PLAIN = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.Softplus)
_GATES: dict[str, tuple[bool, ...]] = {
    "RNN_TANH": (True,),
    "RNN_RELU": (False,),
    "GRU": (False, False, True),
    "LSTM": (False, False, True, False),
}
"""For each recurrence its gates in the order of torch, and whether the weights to a gate change sign with the unit."""


@dataclass(frozen=True)
class Place:
    """Where the units of a layer stand in a weight.

    Args:
        name: of the weight.
        axis: along which they stand, block after block.
        odd: for each block, for example a gate, whether it changes sign with the unit.
    """

    name: str
    axis: int
    odd: tuple[bool, ...] = (True,)


@dataclass(frozen=True)
class Units:
    """The units of a layer.

    Args:
        size: how many there are.
        places: all places where they stand.
        signed: whether they can change sign, too.
    """

    size: int
    places: tuple[Place, ...]
    signed: bool


def symmetries(model: nn.Module) -> tuple[Units, ...]:
    """Find the hidden units of a network that can change places.

    A unit of an LSTM or GRU changes sign when the weights to its candidate and all that leave it do, one of a tanh
    layer when all its weights do; its activation, and nothing else, then changes sign.

    Args:
        model: a `Sequential` of linear layers, activations, batch normalisation and dropout, or a
            `RecurrentClassifier` that reads in one direction and has no self-attention pooling. With batch
            normalisation the function is kept where its statistics are those of the data, as in `ModelLoss`.

    Returns:
        The units, layer by layer from the input on.

    Raises:
        UnsupportedError: for any other network.

    Example:
        >>> network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
        >>> [(layer.size, layer.signed) for layer in symmetries(network)]
        [(3, True)]
    """
    if isinstance(model, nn.Sequential):
        return _of_stack(model)
    if isinstance(model, RecurrentClassifier) and isinstance(model.recurrence, nn.RNNBase) and not model.self_attention:
        return _of_recurrence("recurrence.", model.recurrence, "head.weight", model.config.pooling != "max")
    raise UnsupportedError(
        f"the symmetries of {type(model).__name__} as it is configured are not known",
        "give a Sequential of linear layers or a one-way RecurrentClassifier, or describe its units as `Units`",
    )


def rearranged(params: Params, units: Units, order: Int[Tensor, " unit"], sign: Float[Tensor, " unit"]) -> Params:
    """Let the units of a layer change places and signs.

    Args:
        params: weights; not written to.
        units: of the layer.
        order: for each new unit, which old one it was.
        sign: for each new unit, 1 or -1.

    Returns:
        Weights of the same function, when the units are a symmetry and signs are 1 for units that are not signed.
    """
    changed = dict(params)
    for place in units.places:
        weight = changed[place.name]
        blocks = torch.unflatten(weight, place.axis, (len(place.odd), units.size))
        flips = torch.where(torch.tensor(place.odd, device=weight.device)[:, None], sign.to(weight), 1.0)
        flips = flips.reshape(*flips.shape, *[1] * (weight.ndim - place.axis - 1))
        moved = blocks.index_select(place.axis + 1, order.to(weight.device)) * flips
        changed[place.name] = moved.flatten(place.axis, place.axis + 1)
    return changed


def _of_recurrence(prefix: str, module: nn.RNNBase, reader: str, signed: bool) -> tuple[Units, ...]:
    """Give the units of each layer of a one-way recurrence whose last outputs one weight reads."""
    if module.bidirectional or module.proj_size:
        raise UnsupportedError(
            "the recurrence reads in both directions or projects its state", "align networks with one-way recurrences"
        )
    odd = _GATES[module.mode]
    layers = []
    for k in range(module.num_layers):
        after = reader if k == module.num_layers - 1 else f"{prefix}weight_ih_l{k + 1}"
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if module.bias else [])]
        into = [Place(f"{prefix}{name}_l{k}", 0, odd) for name in names]
        places = (*into, Place(f"{prefix}weight_hh_l{k}", 1), Place(after, 1))
        layers.append(Units(module.hidden_size, places, signed and module.mode != "RNN_RELU"))
    return tuple(layers)


def _of_stack(model: nn.Sequential) -> tuple[Units, ...]:
    """Give the units between each linear layer and the next."""
    layers: list[Units] = []
    into: list[Place] = []
    size, signed = 0, True
    for name, module in model.named_children():
        if isinstance(module, nn.Linear):
            if into:
                layers.append(Units(size, (*into, Place(f"{name}.weight", 1)), signed))
            into, size, signed = _rows(name, module), module.out_features, True
        elif isinstance(module, nn.BatchNorm1d):
            into += [Place(f"{name}.weight", 0, (False,)), Place(f"{name}.bias", 0)] if module.affine and into else []
        elif isinstance(module, _PLAIN):
            signed = False
        elif not isinstance(module, (*_ODD, nn.Dropout)):
            raise UnsupportedError(
                f"the symmetries of {type(module).__name__} in a Sequential are not known", "describe them as `Units`"
            )
    return tuple(layers)


def _rows(name: str, module: nn.Linear) -> list[Place]:
    return [Place(f"{name}.{key}", 0) for key, _ in module.named_parameters(recurse=False)]
