"""Attention rollout: the attention of all layers, followed from the output to the inputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from perdure.attribution._prefixes import require_series
from perdure.core.check import check_choice
from perdure.core.errors import UnsupportedError
from perdure.core.exclusive import exclusive
from perdure.core.forward import run_eagerly
from perdure.core.query import Query, slice_query
from perdure.core.target import AtStep
from perdure.ops.sequence import lengths_of

__all__ = ["AttentionRollout"]

Position = Literal["mean", "first", "last"]
ARGUMENTS = (
    "query",
    "key",
    "value",
    "key_padding_mask",
    "need_weights",
    "attn_mask",
    "average_attn_weights",
    "is_causal",
)


@dataclass(frozen=True)
class AttentionRollout:
    r"""Multiply the attention of all layers, each averaged with the identity for its residual connection.

    .. math:: R = \prod_{l = L}^{1} \left( \tfrac12 A_l + \tfrac12 I \right)

    :math:`A_l` is the mean attention over the heads of layer l. The map is the row of R at the position that the
    output reads, spread evenly over the features of a step, so that it sums to one. It does not depend on the target:
    attention shows where a model looks, not what it concludes from that. One forward pass per sample. All
    `torch.nn.MultiheadAttention` modules that attend to their own sequence are layers, such as those of
    `torch.nn.TransformerEncoder`.

    Args:
        position: Position that the output reads: "mean" of all valid steps, "first" or "last" valid step. A target at
            one step reads that step.

    Raises:
        UnsupportedError: For models without such layers, or whose layers do not have a position for each step.

    Reference:
        abnar2020quantifying

    Example:
        >>> model = nn.Sequential(nn.TransformerEncoderLayer(2, 1, batch_first=True), nn.Flatten(), nn.Linear(6, 2))
        >>> query = Query(model.eval(), torch.zeros(1, 3, 2), lambda outputs: outputs[:, 0])
        >>> AttentionRollout().scores(query)[0, :, 0].mul(6).round(decimals=4).tolist()
        [1.0, 1.0, 1.0]
    """

    position: Position = "mean"

    def __post_init__(self) -> None:
        check_choice("position", self.position, get_args(Position))

    def scores(self, query: Query) -> Float[Tensor, "batch time feature"]:
        """Read the attention of all layers and multiply it.

        Args:
            query: Query to explain.

        Returns:
            Weights, the same for all features of a step.
        """
        require_series(query, "attention_rollout")
        parts = (slice_query(query, slice(i, i + query.rows)) for i in range(0, len(query.x), query.rows))
        weights = torch.cat([self._follow(part) for part in parts])
        return (weights / query.x.shape[2])[..., None].expand_as(query.x)

    def _follow(self, query: Query) -> Float[Tensor, "batch time"]:
        batch, steps, _ = query.x.shape
        with _record_attention(query.model) as layers:
            query.outputs(query.x[None])
        if not layers:
            raise UnsupportedError(
                f"{type(query.model).__name__} has no layers of torch.nn.MultiheadAttention",
                "use 'attention' for a model with one layer of attention over steps, or 'integrated_gradients'",
            )
        identity = torch.eye(steps, dtype=torch.float64, device=query.x.device)
        rollout = identity.expand(batch, steps, steps)
        for attention in layers:
            if attention.shape != rollout.shape:
                raise UnsupportedError(
                    f"a layer attends from {attention.shape[-2]} to {attention.shape[-1]} positions, and the series "
                    f"have {steps} steps",
                    "use a method that needs no attention, such as 'integrated_gradients'; positions that the model "
                    "adds or joins, and attention to another sequence, have no step of the input",
                )
            rollout = (attention.double() + identity) / 2 @ rollout
        return self._read(rollout, query)

    def _read(self, rollout: Float[Tensor, "batch time time"], query: Query) -> Float[Tensor, "batch time"]:
        """Take the row of the position that the output reads."""
        batch, steps, _ = rollout.shape
        sample, lengths = torch.arange(batch, device=rollout.device), lengths_of(query.mask)
        if isinstance(query.bound, AtStep):
            return rollout[sample, torch.as_tensor(query.bound.step, device=rollout.device).expand(batch)]
        if self.position == "first":
            return rollout[:, 0]
        if self.position == "last":
            return rollout[:, -1] if lengths is None else rollout[sample, lengths.to(rollout.device) - 1]
        valid = torch.ones(batch, steps, device=rollout.device) if query.mask is None else query.mask
        weights = valid.to(rollout) / valid.sum(1, keepdim=True)
        return torch.einsum("bq,bqk->bk", weights, rollout)


@contextmanager
def _record_attention(model: Any) -> Iterator[list[Tensor]]:
    """Record the attention weights of all layers, in the order of their calls, within a block."""
    layers: list[Tensor] = []
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    attends = [module for module in modules if isinstance(module, nn.MultiheadAttention)]

    def request(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        named = dict(zip(ARGUMENTS, args, strict=False)) | named
        return (), named | {"need_weights": True, "average_attn_weights": True}

    handles = [module.register_forward_pre_hook(request, with_kwargs=True) for module in attends]
    handles += [module.register_forward_hook(lambda _, __, output: layers.append(output[1])) for module in attends]
    try:
        with exclusive(), run_eagerly(), _slow_path(modules):
            yield layers
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _slow_path(modules: list[nn.Module]) -> Iterator[None]:
    """Leave out the fast path of torch, which computes no weights, and its nested tensors."""
    fast = torch.backends.mha.get_fastpath_enabled()
    nested = [module for module in modules if isinstance(module, nn.TransformerEncoder) and module.use_nested_tensor]
    torch.backends.mha.set_fastpath_enabled(False)
    for module in nested:
        module.use_nested_tensor = False
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module in nested:
            module.use_nested_tensor = True
