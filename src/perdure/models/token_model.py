"""Models of token ids, asked by embeddings: nothing in the model has to be rewritten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.errors import UnsupportedError
from perdure.models.adapted import Adapted
from perdure.ops.sequence import length_mask

__all__ = ["TokenModel"]


class TokenModel(Adapted):
    """A model that looks token ids up in an `nn.Embedding`, as one that can be asked by their embeddings as well.

    Asked by embeddings, the model reads stand-in ids, and what its layer of embeddings gives for them is replaced.
    The stand-ins are one and the same word at valid steps and the padding index behind them, so that a model which
    finds padding by its ids still finds it. What `forward` names of padding it is told, as `Adapted` says.

    Args:
        model: called with ids (batch, time); it is kept, not copied.
        embedding: the name of the layer that embeds tokens; None where there is only one `nn.Embedding`.
        output: name or position of the logits in an output that holds several tensors; None finds them.

    Raises:
        UnsupportedError: when there is no such layer, or more than one may be it.

    Example:
        >>> words = nn.Embedding.from_pretrained(torch.tensor([[1.0], [2.0], [4.0]]))
        >>> model = TokenModel(nn.Sequential(words, nn.Flatten(), nn.Linear(2, 2)))
        >>> ids = torch.tensor([[2, 1]])
        >>> bool((model(ids) == model(model.embed(ids))).all())
        True
    """

    def __init__(self, model: nn.Module, *, embedding: str | None = None, output: str | int | None = None) -> None:
        super().__init__(model, output=output)
        self.embedding = _found(model) if embedding is None else _named(model, embedding)

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look tokens up.

        Args:
            ids: of the tokens.

        Returns:
            Their embeddings.
        """
        found: Tensor = self._layer(ids)
        return found

    def forward(
        self,
        x: Float[Tensor, "batch time feature"] | Int[Tensor, "batch time"],
        lengths: Tensor | None = None,
        **side: Tensor,
    ) -> Float[Tensor, "batch classes"]:
        """Ask the model.

        Args:
            x: token ids, or embeddings in their place.
            lengths: valid tokens of each sample; None when all are.
            side: side inputs of each sample.

        Returns:
            Logits.

        Raises:
            UnsupportedError: when the layer is not asked for one embedding per token, or there are no logits.
        """
        if not x.is_floating_point():
            return super().forward(x, lengths, **side)
        with _replaced(self._layer, x):
            return super().forward(self._stand_ins(x, lengths), lengths, **side)

    @property
    def _layer(self) -> nn.Embedding:
        layer = self.model.get_submodule(self.embedding)
        assert isinstance(layer, nn.Embedding)
        return layer

    def _stand_ins(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        padding = self._layer.padding_idx
        word = 1 if padding == 0 and self._layer.num_embeddings > 1 else 0
        ids = torch.full(x.shape[:2], word, device=x.device)
        if lengths is None or padding is None:
            return ids
        return ids.masked_fill(~length_mask(lengths.to(x.device), x.shape[1]), padding)


@contextmanager
def _replaced(layer: nn.Embedding, x: Tensor) -> Iterator[None]:
    """Let a layer give these embeddings for a while, whatever it is asked."""

    def give(_: nn.Module, __: object, found: Tensor) -> Tensor:
        if found.shape != x.shape:
            raise UnsupportedError(
                f"the layer of embeddings is asked for shape {tuple(found.shape)}, the inputs have {tuple(x.shape)}",
                "give the model a method embed(ids), and let forward take embeddings as well as ids",
            )
        return x

    handle = layer.register_forward_hook(give)
    try:
        yield
    finally:
        handle.remove()


def _found(model: nn.Module) -> str:
    names: list[str] = [name for name, one in model.named_modules() if isinstance(one, nn.Embedding)]
    if len(names) != 1:
        kind = type(model).__name__
        raise UnsupportedError(
            f"{kind} has {len(names)} layers of embeddings: {', '.join(names)}" if names else f"{kind} embeds nothing",
            f"name the one of tokens: perdure.TokenModel(model, embedding={names[0]!r})"
            if names
            else "wrap a model with an nn.Embedding, or give it a method embed(ids)",
        )
    return names[0]


def _named(model: nn.Module, name: str) -> str:
    layers = {one: layer for one, layer in model.named_modules() if isinstance(layer, nn.Embedding)}
    if name not in layers:
        raise UnsupportedError(
            f"{type(model).__name__} has no nn.Embedding called '{name}'",
            f"name one of {', '.join(map(repr, layers)) or 'none: there is no such layer'}",
        )
    return name
