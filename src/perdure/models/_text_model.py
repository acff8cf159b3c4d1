"""Text classifiers of Hugging Face as models of embeddings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from perdure.core.check import check_ids
from perdure.core.errors import PaddingWarning, UnsupportedError
from perdure.models._lookups import Lookups
from perdure.models._token_ids import TOKEN_IDS, TokenIds
from perdure.ops.sequence import length_mask

if TYPE_CHECKING:
    from perdure.models._hugging_face import Reader

__all__ = ["TextClassifier"]

SAME = 1e-4
"""Largest difference between outputs that should be equal, in multiples of the largest output."""


class TextClassifier(nn.Module):
    """A text classifier of Hugging Face that takes embeddings as well as token ids.

    For embeddings, the model runs on the ids that they belong to, and the output of its layer of embeddings is
    replaced, so that positions, decoders and pooling by ids are those of the text. Padding is at the end here; for
    a model whose tokenizer pads at the start it is moved there, unless the model is causal.

    Args:
        model: Text classifier of the package transformers.
        reader: Reader with its tokenizer.
    """

    def __init__(self, model: nn.Module, reader: Reader) -> None:
        super().__init__()
        self.model, self.reader = model, reader
        self._ids, self._checked = TokenIds(), False

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look tokens up.

        Args:
            ids: Token ids.

        Returns:
            Their embeddings, before positions are added.

        Raises:
            ShapeError: When the ids are no whole numbers (batch, time).
            VocabularyError: When one lies outside the vocabulary.
        """
        embedding = self._layer
        check_ids(ids, embedding.num_embeddings)
        embeddings: Tensor = embedding(ids)
        self._ids.remember(ids)
        return embeddings

    def forward(
        self,
        x: Int[Tensor, "batch time"] | Float[Tensor, "batch time feature"],
        lengths: Int[Tensor, " batch"] | None = None,
        **side: Tensor,
    ) -> Float[Tensor, "batch classes"]:
        """Classify texts.

        Args:
            x: Token ids, or their embeddings.
            lengths: Valid tokens of each text; None when all are.
            side: Side inputs: `token_ids`, the ids of the texts that the embeddings belong to.

        Returns:
            Logits.

        Raises:
            UnsupportedError: When the model depends on ids that embeddings of no token do not determine.
        """
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        mask = length_mask(lengths.to(x.device), x.shape[1])
        if not x.is_floating_point():
            return self._logits(*self._arrange(x, mask))
        known = side.get(TOKEN_IDS)
        ids = self._ids.find(self._layer, x, lengths) if known is None else known[:, : x.shape[1]].to(x.device)
        ids, mask, x = self._arrange(self._placeholder_ids(x) if ids is None else ids, mask, x)
        with Lookups(self.model, self._name, ids, x) as lookups:
            return self._logits(lookups.model_ids, mask)

    def side_inputs(self, x: Tensor, lengths: Tensor | None = None) -> Mapping[str, Tensor]:
        """Find the ids of texts that are given by their embeddings.

        Args:
            x: Token ids, or embeddings of all texts that are explained.
            lengths: Valid tokens of each text; None when all are.

        Returns:
            `token_ids`, one row per text; nothing where x holds ids or embeddings of no token.

        Raises:
            UnsupportedError: When the model computes something else from embeddings than from their ids.

        Warns:
            PaddingWarning: When the outputs for a text change with its padding.
        """
        ids = self._ids.find(self._layer, x, lengths) if x.is_floating_point() else None
        if ids is None:
            return {}
        if not self._checked:
            self._check(ids, x, lengths)
            self._checked = True
        return {TOKEN_IDS: ids}

    @property
    def _layer(self) -> nn.Embedding:
        layer: nn.Embedding = self.model.get_input_embeddings()  # type: ignore[operator]
        return layer

    @property
    def _name(self) -> str:
        names: dict[int, str] = {id(module): name for name, module in self.model.named_modules()}
        return names[id(self._layer)]

    @property
    def _padding(self) -> int | None:
        """The id by which the model finds padding."""
        padding: int | None = self.model.config.get_text_config().pad_token_id  # type: ignore[union-attr, operator]
        return padding

    @property
    def _is_decoder(self) -> bool:
        return isinstance(getattr(self.model, "score", None), nn.Linear)  # what heads of decoders are called

    def _arrange(self, *parts: Tensor) -> tuple[Tensor, ...]:
        """Place padding as the model expects it, in ids, mask, and embeddings where there are some."""
        ids, mask, *x = parts
        if self._padding is not None and (self._is_decoder or self.model.config.is_encoder_decoder):  # type: ignore[union-attr]
            ids = ids.masked_fill(~mask, self._padding)
        if self._is_decoder or self.reader.tokenizer.padding_side == "right" or bool(mask.all()):
            return ids, mask, *x
        order = mask.long().argsort(dim=1, stable=True)
        return (
            ids.gather(1, order),
            mask.gather(1, order),
            *(values.take_along_dim(order[..., None], 1) for values in x),
        )

    def _logits(self, ids: Tensor, mask: Tensor) -> Tensor:
        if self._is_decoder and self._padding is None:  # its own forward takes one text at a time
            states = self.model.base_model(input_ids=ids, attention_mask=mask.long(), use_cache=False)[0]  # type: ignore[operator]
            rows = torch.arange(len(states), device=states.device)
            last: Tensor = self.model.score(states[rows, mask.sum(1) - 1])  # type: ignore[operator]
            return last
        named = {"use_cache": False} if self._is_decoder else self.reader.types(mask)
        logits: Tensor = self.model(input_ids=ids, attention_mask=mask.long(), **named).logits
        return logits

    def _placeholder_ids(self, x: Tensor) -> Tensor:
        """Make placeholder ids for embeddings of no token: a word that is no special token.

        Raises:
            UnsupportedError: Where texts hold a special token by which the model finds their end.
        """
        marks, config = set(self.reader.tokenizer.all_special_ids), self.model.config
        mark = config.eos_token_id if config.is_encoder_decoder else self._padding if self._is_decoder else None  # type: ignore[union-attr]
        if mark in self.reader.ends:
            raise UnsupportedError(
                f"{type(self.model).__name__} reads a text up to a mark that it finds by its id, and which ids these "
                "embeddings belong to is not known: they are none of its table",
                "give embeddings made by model.embed(ids); or name the ids, model(embeddings, token_ids=ids)",
            )
        word = next(number for number in range(self._layer.num_embeddings) if number not in marks)
        return torch.full(x.shape[:2], word, device=x.device)

    def _check(self, ids: Tensor, x: Tensor, lengths: Tensor | None) -> None:
        """Compare the first text by ids and by embeddings, and the shortest one alone and with its padding."""
        valid = None if lengths is None else lengths[:1]
        _check_close(self(ids[:1], valid), self(x[:1], valid, **{TOKEN_IDS: ids[:1]}), type(self.model).__name__)
        if lengths is None or bool((lengths == ids.shape[1]).all()):
            return
        row = int(lengths.argmin())
        alone, padded = self(ids[row : row + 1, : lengths[row]]), self(ids[row : row + 1], lengths[row : row + 1])
        if _gap(alone, padded) > SAME:
            warnings.warn(
                f"{type(self.model).__name__} computes other outputs for a text with padding than for the text alone, "
                f"by {_gap(alone, padded):.2g} of the largest: outputs and maps depend on the other texts of a batch; "
                "explain texts of one length at a time, without lengths",
                PaddingWarning,
                stacklevel=2,
            )


def _gap(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().max() / first.abs().max().clamp_min(1.0))


def _check_close(by_ids: Tensor, by_embeddings: Tensor, name: str) -> None:
    if _gap(by_ids, by_embeddings) > SAME:
        raise UnsupportedError(
            f"{name} computes something else from embeddings than from their token ids",
            "explain it in another framework, or report the model to the authors of perdure",
        )
