"""Symmetries of networks: permuting units and flipping their signs keeps the function."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.errors import UnsupportedError
from perdure.models._recurrence import Bidirectional
from perdure.models.attention import AttentionClassifier, Score
from perdure.models.recurrent import RecurrentClassifier
from perdure.ops.params import Params

__all__ = ["UnitAxis", "UnitLayer", "find_symmetries", "rearrange_units"]

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
class UnitAxis:
    """Axis of a weight that the units of a layer index.

    Args:
        name: Name of the weight.
        axis: Axis of the units, block after block.
        odd: Whether each block, for example a gate, changes sign with the unit.
        start: Start of the first block on the axis.
    """

    name: str
    axis: int
    odd: tuple[bool, ...] = (True,)
    start: int = 0

    def blocks(self, weight: Tensor, size: int) -> Tensor:
        """Return the blocks of the units.

        Args:
            weight: Weight of this name.
            size: Number of units.

        Returns:
            A view whose axis is split into blocks and units.
        """
        part = weight.narrow(self.axis, self.start, len(self.odd) * size)
        return torch.unflatten(part, self.axis, (len(self.odd), size))


@dataclass(frozen=True)
class UnitLayer:
    """The units of a layer.

    Args:
        size: Number of samples or units.
        places: All axes that they index.
        signed: Whether they can also change sign.
    """

    size: int
    places: tuple[UnitAxis, ...]
    signed: bool


def find_symmetries(model: nn.Module) -> tuple[UnitLayer, ...]:
    """Find the hidden units of a network that can change places.

    A unit of an LSTM or GRU changes sign when the weights to its candidate and all that leave it do, one of a linear
    or tanh layer when all its weights do; its activation, and nothing else, then changes sign. The last LSTM of a
    network that attends shares its units with the decoder, since the cell of the decoder starts as that of the LSTM.

    Args:
        model: A `Sequential` of linear layers, activations, batch normalisation and dropout, a `RecurrentClassifier`,
            an `AttentionClassifier` or a `HierarchicalClassifier`. With batch normalisation the function is kept
            where its statistics are those of the data, as in `ModelLoss`.

    Returns:
        The units, layer by layer from the input on. Those inside of an input-cell attention are left out.

    Raises:
        UnsupportedError: For any other network, and for self-attention pooling over both directions.

    Reference:
        ger2020reproducibility

    Example:
        >>> network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
        >>> [(layer.size, layer.signed) for layer in find_symmetries(network)]
        [(3, True)]
    """
    if isinstance(model, nn.Sequential):
        return _find_in_stack(model)
    if isinstance(model, AttentionClassifier):
        return _find_in_attention(model)
    if isinstance(model, RecurrentClassifier):
        return _find_in_classifier(model)
    raise UnsupportedError(
        f"the symmetries of {type(model).__name__} are not known, so it cannot be aligned",
        "give a Sequential of linear layers, a RecurrentClassifier, an AttentionClassifier or a "
        "HierarchicalClassifier, or describe its units as `UnitLayer`",
    )


def rearrange_units(
    params: Params, units: UnitLayer, order: Int[Tensor, " unit"], sign: Float[Tensor, " unit"]
) -> Params:
    """Permute the units of a layer and change their signs.

    Args:
        params: Weights; not written to.
        units: Units of the layer.
        order: Old unit of each new unit.
        sign: Sign of each new unit, 1 or -1.

    Returns:
        Weights of the same function, when the units are a symmetry and signs are 1 for units that are not signed.
    """
    changed = dict(params)
    for place in units.places:
        weight = changed[place.name].clone()
        blocks = place.blocks(weight, units.size)
        flips = torch.where(torch.tensor(place.odd, device=weight.device)[:, None], sign.to(weight), 1.0)
        flips = flips.reshape(*flips.shape, *[1] * (weight.ndim - place.axis - 1))
        blocks.copy_(blocks.index_select(place.axis + 1, order.to(weight.device)) * flips)
        changed[place.name] = weight
    return changed


def _find_in_classifier(model: RecurrentClassifier) -> tuple[UnitLayer, ...]:
    """Return the units of the recurrence, then those of the pooling."""
    recurrence, pooling = model.recurrence, model.self_attention
    signed = model.config.pooling != "max"
    if isinstance(recurrence, nn.RNNBase):
        readers: list[UnitAxis] = [UnitAxis("head.weight", 1)]
        if pooling is not None:
            hops = pooling.hop_layer.out_features
            readers = [UnitAxis("self_attention.input_layer.weight", 1), UnitAxis("head.weight", 1, (True,) * hops)]
        layers = _find_in_recurrence(recurrence, readers, signed)
    elif isinstance(recurrence, Bidirectional) and pooling is None:
        layers = _find_in_directions(recurrence, signed)
    else:
        raise UnsupportedError(
            "self-attention pooling over both directions cannot be aligned: the head reads their units hop by hop",
            "give a network that reads in one direction, or one with another pooling",
        )
    if pooling is None:
        return layers
    places = UnitAxis("self_attention.input_layer.weight", 0), UnitAxis("self_attention.hop_layer.weight", 1)
    return (*layers, UnitLayer(pooling.input_layer.out_features, places, signed=True))


def _find_in_recurrence(module: nn.RNNBase, readers: list[UnitAxis], signed: bool) -> tuple[UnitLayer, ...]:
    """Return the units of each layer of a one-way recurrence; the last is read by `readers`."""
    layers = []
    for k in range(module.num_layers):
        top = k == module.num_layers - 1
        after = readers if top else [UnitAxis(f"recurrence.weight_ih_l{k + 1}", 1)]
        layers.append(_find_in_cell("recurrence.", module, f"_l{k}", after, signed or not top))
    return tuple(layers)


def _find_in_directions(pair: Bidirectional, signed: bool) -> tuple[UnitLayer, ...]:
    """Return the units of each layer and direction; the layer above reads ahead before back."""
    layers, last = [], len(pair.ahead) - 1
    for k, both in enumerate(zip(pair.ahead, pair.back, strict=True)):
        above = [f"recurrence.{way}.{k + 1}.weight_ih_l0" for way in ("ahead", "back")]
        for side, (way, module) in enumerate(zip(("ahead", "back"), both, strict=True)):
            after = [
                UnitAxis(name, 1, start=side * pair.hidden_size) for name in (above if k < last else ["head.weight"])
            ]
            layers.append(_find_in_cell(f"recurrence.{way}.{k}.", module, "_l0", after, signed or k < last))
    return tuple(layers)


def _find_in_cell(prefix: str, module: nn.Module, suffix: str, after: list[UnitAxis], signed: bool) -> UnitLayer:
    """Return the units of one layer of a recurrence, or of a cell."""
    mode = module.mode if isinstance(module, nn.RNNBase) else "LSTM"
    weights = (f"{name}{suffix}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    into = [UnitAxis(prefix + name, 0, _GATES[mode]) for name in weights if hasattr(module, name)]
    places = (*into, UnitAxis(f"{prefix}weight_hh{suffix}", 1), *after)
    return UnitLayer(module.get_parameter(f"weight_hh{suffix}").shape[1], places, signed and mode != "RNN_RELU")


def _find_in_attention(model: AttentionClassifier) -> tuple[UnitLayer, ...]:
    """Return the units of the linear layer, of each LSTM, the last with the decoder, and of each score."""
    dense = model.encoder.dense
    layers = [UnitLayer(dense.out_features, tuple(_list_rows("encoder.dense", dense)), signed=True)]
    normal = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm1d)]
    for k, recurrence in enumerate(model.encoder.recurrences):
        between = [name for name in normal if name.startswith(f"encoder.between.{k}.")]
        reader = UnitAxis(f"encoder.recurrences.{k}.weight_ih_l0", 1)
        layers[-1] = _extend(layers[-1], *(place for name in between for place in _list_normalisation(name)), reader)
        layers.append(_find_in_cell(f"encoder.recurrences.{k}.", recurrence, "_l0", [], signed=True))
    readers = [UnitAxis("decoder.weight_ih", 1), UnitAxis("head.weight", 1)]
    scores = [(name, module) for name, module in model.named_children() if isinstance(module, Score)]
    readers += [UnitAxis(f"{name}.{layer}.weight", 1) for name, _ in scores for layer in ("query", "key")]
    layers[-1] = _extend(layers[-1], *_find_in_cell("decoder.", model.decoder, "", readers, signed=True).places)
    return (*layers, *(_find_in_score(name, score) for name, score in scores))


def _find_in_score(name: str, score: Score) -> UnitLayer:
    into = (*_list_rows(f"{name}.query", score.query), *_list_rows(f"{name}.key", score.key))
    return UnitLayer(score.key.out_features, (*into, UnitAxis(f"{name}.weight.weight", 1)), signed=True)


def _extend(units: UnitLayer, *places: UnitAxis) -> UnitLayer:
    return replace(units, places=(*units.places, *places))


def _find_in_stack(model: nn.Sequential) -> tuple[UnitLayer, ...]:
    """Return the units between each linear layer and the next."""
    layers: list[UnitLayer] = []
    into: list[UnitAxis] = []
    size, signed = 0, True
    for name, module in model.named_children():
        if isinstance(module, nn.Linear):
            if into:
                layers.append(UnitLayer(size, (*into, UnitAxis(f"{name}.weight", 1)), signed))
            into, size, signed = _list_rows(name, module), module.out_features, True
        elif isinstance(module, nn.BatchNorm1d):
            into += _list_normalisation(name) if module.affine and into else []
        elif isinstance(module, _PLAIN):
            signed = False
        elif not isinstance(module, (*_ODD, nn.Dropout)):
            raise UnsupportedError(
                f"the symmetries of {type(module).__name__} in a Sequential are not known",
                "describe them as `UnitLayer`",
            )
    return tuple(layers)


def _list_rows(name: str, module: nn.Linear) -> list[UnitAxis]:
    return [UnitAxis(f"{name}.{key}", 0) for key, _ in module.named_parameters(recurse=False)]


def _list_normalisation(name: str) -> list[UnitAxis]:
    """Place the units behind batch normalisation: its shift changes sign with them, its scale does not."""
    return [UnitAxis(f"{name}.weight", 0, (False,)), UnitAxis(f"{name}.bias", 0)]
