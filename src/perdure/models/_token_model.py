"""Evaluate models of token ids at embeddings, without changes to the model."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.errors import PaddingWarning, PartialInputWarning, UnsupportedError
from perdure.core.forward import evaluation
from perdure.models._adapted import Adapted
from perdure.models._lookups import Lookups
from perdure.models._token_ids import TOKEN_IDS, TokenIds
from perdure.ops.sequence import length_mask

__all__ = ["TokenModel"]

SAME = 1e-4
"""Largest difference between outputs for ids and for their embeddings, in multiples of the largest output."""


class TokenModel(Adapted):
    """A model that looks token ids up in an `nn.Embedding`, as one that takes their embeddings as well.

    For embeddings, the model runs on the ids that they belong to, and the output of its layer of embeddings is
    replaced: positions, masks and pooling by ids are those of the text. The ids of embeddings that the table holds are
    found again by their numbers; in a perturbed copy of a sample they are those of the sample. Arguments of
    `forward` that mark padding are passed to it, as in `Adapted`.

    Args:
        model: Model of ids (batch, time), also an `Adapted` one; kept, not copied.
        embedding: Name of the layer that embeds tokens; None where there is only one `nn.Embedding`, or where the
            model has a method `get_input_embeddings`, as those of transformers.
        output: Name or position of the logits in an output that holds several tensors; None finds them.

    Raises:
        UnsupportedError: When there is no such layer, or more than one may be it.

    Example:
        >>> words = nn.Embedding.from_pretrained(torch.tensor([[1.0], [2.0], [4.0]]))
        >>> model = TokenModel(nn.Sequential(words, nn.Flatten(), nn.Linear(2, 2)))
        >>> ids = torch.tensor([[2, 1]])
        >>> bool((model(ids) == model(model.embed(ids))).all())
        True
    """

    def __init__(self, model: nn.Module, *, embedding: str | None = None, output: str | int | None = None) -> None:
        super().__init__(model, output=output)
        self.embedding = _find_embedding(model) if embedding is None else _check_embedding(model, embedding)
        self._ids = TokenIds()

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look tokens up.

        Args:
            ids: Token ids.

        Returns:
            Their embeddings.
        """
        embeddings: Tensor = self._layer(ids)
        self._ids.remember(ids)
        return embeddings

    def forward(
        self,
        x: Float[Tensor, "batch time feature"] | Int[Tensor, "batch time"],
        lengths: Tensor | None = None,
        **side: Tensor,
    ) -> Float[Tensor, "batch classes"]:
        """Compute the logits.

        Args:
            x: Token ids, or embeddings in their place.
            lengths: Valid tokens of each sample; None when all are.
            side: Side inputs of each sample; `token_ids` are the ids of the samples that the embeddings belong to.

        Returns:
            Logits.

        Raises:
            ShapeError: When the embeddings have another shape than those of the layer.
            UnsupportedError: When the model reads the ids and those of the embeddings are not known, when it does not
                call the layer, or when there are no logits.
        """
        known = side.pop(TOKEN_IDS, None)
        if not x.is_floating_point():
            self._finds_padding = self._finds(x, lengths) if self._finds_padding is None else self._finds_padding
            return super().forward(x, lengths, **side)
        ids = self._ids.find(self._layer, x, lengths) if known is None else known[:, : x.shape[1]].to(x.device)
        lookups = Lookups(self.model, self.embedding, self._placeholder_ids(x, lengths) if ids is None else ids, x)
        with lookups:
            logits = super().forward(lookups.model_ids, lengths, **side)
        if not lookups.replaced:
            raise UnsupportedError(
                f"{type(self.model).__name__} does not look its token ids up in '{self.embedding}'",
                "name the layer that it calls with them, embedding=..., and call that layer, not its weights",
            )
        if ids is None and lookups.reads_ids:
            raise self._unknown()
        return logits

    def side_inputs(self, x: Tensor, lengths: Tensor | None = None) -> Mapping[str, Tensor]:
        """Find the ids of samples that are given by their embeddings, and check that both have the same outputs.

        Args:
            x: Token ids, or embeddings of all samples that are explained.
            lengths: Valid tokens of each sample; None when all are.

        Returns:
            `token_ids` and what is given, one row per sample.

        Raises:
            UnsupportedError: When the model reads the ids and those of the embeddings are not known, or when it
                computes something else from embeddings than from ids.

        Warns:
            PartialInputWarning: When the model looks the ids up in a second table as well.
        """
        if not x.is_floating_point():
            return super().side_inputs(x, lengths)
        ids = self._ids.find(self._layer, x, lengths)
        side = dict(super().side_inputs(self._placeholder_ids(x, lengths) if ids is None else ids, lengths))
        single, length = {name: value[:1] for name, value in side.items()}, None if lengths is None else lengths[:1]
        if ids is None:
            self(x[:1], length, **single)  # raises for a model that reads the ids
            return side
        self._finds_padding = self._finds(ids, lengths)
        if self.padding_arguments and self._finds_padding is False:
            warnings.warn(
                f"{type(self.model).__name__} computes other outputs for a text with padding after it than for "
                "the text alone, so outputs and maps depend on the other texts of a batch; explain texts of one length "
                "at a time, without lengths, or let the model take padding where it was trained with it",
                PaddingWarning,
                stacklevel=2,
            )
        self._check_same(x[:1], ids[:1], length, single)
        return {**side, TOKEN_IDS: ids}

    @property
    def _layer(self) -> nn.Embedding:
        layer = self.model.get_submodule(self.embedding)
        assert isinstance(layer, nn.Embedding)
        return layer

    def _check_same(self, x: Tensor, ids: Tensor, lengths: Tensor | None, side: Mapping[str, Tensor]) -> None:
        by_ids = super().forward(ids, lengths, **side)
        with Lookups(self.model, self.embedding, ids, x) as lookups:
            by_embeddings = super().forward(lookups.model_ids, lengths, **side)
        gap = (by_ids - by_embeddings).abs().max() / by_ids.abs().max().clamp_min(1.0)
        if not lookups.replaced or gap > SAME:
            raise UnsupportedError(
                f"{type(self.model).__name__} computes something else from embeddings in '{self.embedding}' than from "
                f"their token ids: the outputs of the first sample differ by {float(gap):.2g}",
                "name the layer that the ids are looked up in, embedding=..., or give the model a method embed(ids) "
                "and let forward take embeddings as well as ids",
            )
        tables = [name for name, weight in self.model.named_parameters() if _is_among(weight, lookups.other_tables)]
        if tables:
            warnings.warn(
                f"{type(self.model).__name__} looks the token ids up in '{tables[0]}' too; the map explains only "
                f"'{self.embedding}', at the numbers of '{tables[0]}' that belong to the tokens",
                PartialInputWarning,
                stacklevel=2,
            )

    def _finds(self, ids: Tensor, lengths: Tensor | None) -> bool | None:
        """Check whether the model finds padding by the ids: whether removing it changes the shortest sample."""
        if lengths is None or bool((lengths >= ids.shape[1]).all()):
            return None
        row = int(lengths.argmin())
        single = {name: value[row : row + 1] for name, value in super().side_inputs(ids, lengths).items()}
        with evaluation(self.model), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", PaddingWarning)
            short = super().forward(ids[row : row + 1, : lengths[row]], lengths[row : row + 1], **single)
            whole = super().forward(ids[row : row + 1], lengths[row : row + 1], **single)
        return bool((short - whole).abs().max() <= SAME * whole.abs().max().clamp_min(1.0))

    def _unknown(self) -> UnsupportedError:
        return UnsupportedError(
            f"{type(self.model).__name__} reads the token ids themselves, and which ids these embeddings belong to is "
            "not known: they are none of its table, or those of several tokens",
            "give embeddings made by model.embed(ids) just before; or name the ids in the call, "
            "model(embeddings, token_ids=ids)",
        )

    def _placeholder_ids(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """Make placeholder ids for a model that only looks ids up."""
        padding = self._layer.padding_idx
        word = 1 if padding == 0 and self._layer.num_embeddings > 1 else 0
        ids = torch.full(x.shape[:2], word, device=x.device)
        if lengths is None or padding is None:
            return ids
        return ids.masked_fill(~length_mask(lengths.to(x.device), x.shape[1]), padding)


def _is_among(weight: Tensor, tables: list[Tensor]) -> bool:
    return any(weight is table for table in tables)


def _find_embedding(model: nn.Module) -> str:
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Embedding)}
    names: list[str] = list({id(layer.weight): name for name, layer in reversed(layers.items())}.values())[::-1]
    own = getattr(model, "get_input_embeddings", lambda: None)()  # of transformers
    if own is not None and any(own is layer for layer in layers.values()):
        return str(next(name for name, layer in layers.items() if layer is own))
    if len(names) != 1:
        kind = type(model).__name__
        raise UnsupportedError(
            f"{kind} has {len(names)} layers of embeddings: {', '.join(names)}" if names else f"{kind} embeds nothing",
            f"name the one of tokens: perdure.TokenModel(model, embedding={names[0]!r})"
            if names
            else "wrap a model with an nn.Embedding, or give it a method embed(ids)",
        )
    return names[0]


def _check_embedding(model: nn.Module, name: str) -> str:
    layers = {key: layer for key, layer in model.named_modules() if isinstance(layer, nn.Embedding)}
    if name not in layers:
        raise UnsupportedError(
            f"{type(model).__name__} has no nn.Embedding called '{name}'",
            f"name one of {', '.join(map(repr, layers)) or 'none: there is no such layer'}",
        )
    return name
