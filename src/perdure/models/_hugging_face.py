"""Text classifiers of Hugging Face, called with token ids or embeddings, with their tokenizers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from perdure.core.batch import Batch, Text
from perdure.core.errors import CheckpointError, EmptyDataError, UnsupportedError
from perdure.data._splits import Splits
from perdure.models._from_transformers import find_folder, load_transformers
from perdure.models._text_model import TextClassifier
from perdure.ops.sequence import length_mask

__all__ = ["Reader", "TextClassifier", "reader_of", "text_classifier"]

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reader:
    """The tokenizer of a text classifier, and the names of its classes.

    Args:
        digest: Digest of the tokenizer; readers with the same digest return the same tokens.
        classes: Names of the classes, in the order of the outputs.
        longest: Most tokens that the model reads; further ones are cut off, which is logged.
        tokenizer: Tokenizer of the package transformers.
    """

    digest: str
    classes: tuple[str, ...]
    longest: int
    tokenizer: Any = field(compare=False, repr=False)

    def tokenise(
        self, texts: Sequence[str]
    ) -> tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"], tuple[Text, ...]]:
        """Turn texts into token ids.

        Args:
            texts: Texts.

        Returns:
            The ids, padded at the end, the mask of valid tokens, and the spans of the tokens; tokens of no character,
            such as the first one of BERT, have an empty span.

        Raises:
            EmptyDataError: Without texts.
        """
        if not texts:
            raise EmptyDataError("there is no text", "give at least one to each of training, validation and test")
        encoded = self.tokenizer(list(texts), return_offsets_mapping=True, truncation=False)
        too_long = sum(len(ids) > self.longest for ids in encoded["input_ids"])
        if too_long:
            LOG.warning("%d texts are cut to the %d tokens that the model reads", too_long, self.longest)
            encoded = self.tokenizer(list(texts), return_offsets_mapping=True, truncation=True, max_length=self.longest)
        rows = [torch.tensor(ids) for ids in encoded["input_ids"]]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id or 0)
        mask = length_mask(torch.tensor([len(row) for row in rows]), ids.shape[1])
        places = [_spans(spans) for spans in encoded["offset_mapping"]]
        return ids, mask, tuple(Text(text, spans, pieces=True) for text, spans in zip(texts, places, strict=True))

    def types(self, mask: Bool[Tensor, "batch time"]) -> dict[str, Tensor]:
        """Make the types of tokens as the tokenizer does, where some of them are not zero.

        Args:
            mask: Valid tokens.

        Returns:
            `token_type_ids`, or nothing.
        """
        before, inside, behind = self._pattern
        if not any((*before, inside, *behind)):
            return {}
        rank, length = mask.long().cumsum(1) - 1, mask.sum(1, keepdim=True)
        types = torch.full_like(rank, inside)
        for place, kind in enumerate(before):
            types[rank == place] = kind
        for place, kind in enumerate(reversed(behind)):
            types[rank == length - 1 - place] = kind
        return {"token_type_ids": types.masked_fill(~mask, self.tokenizer.pad_token_type_id)}

    @cached_property
    def ends(self) -> frozenset[int]:
        """The ids that the tokenizer adds around every text."""
        return frozenset(self.tokenizer("")["input_ids"])

    @cached_property
    def _pattern(self) -> tuple[list[int], int, list[int]]:
        """The types of the special tokens before a text, of its tokens, and of those after it."""
        if "token_type_ids" not in self.tokenizer.model_input_names:
            return [], 0, []
        encoded = self.tokenizer.backend_tokenizer.encode("a")
        marks, types = list(encoded.special_tokens_mask), list(encoded.type_ids)
        if 0 not in marks:
            return [], 0, []
        first, last = marks.index(0), len(marks) - marks[::-1].index(0)
        return types[:first], types[first], types[last:]

    def __call__(self, splits: Splits) -> Splits:
        """Tokenise the texts of splits for the model.

        A token is known to matter when a character of it was. Where the data name the same classes in another order,
        their labels take that of the outputs; event types are left out.

        Args:
            splits: Splits of texts.

        Returns:
            The same samples.

        Raises:
            UnsupportedError: When the data are no texts.
        """
        order = _order(splits.classes, self.classes)
        train, validation, test = (self._read(batch, order) for batch in (splits.train, splits.validation, splits.test))
        classes = tuple(splits.classes[place] for place in order.argsort().tolist())
        vocabulary = tuple(self.tokenizer.convert_ids_to_tokens(range(len(self.tokenizer))))
        return Splits(train, validation, test, classes, vocabulary)

    def _read(self, batch: Batch, order: Tensor) -> Batch:
        if not batch.text:
            raise UnsupportedError(
                f"the model reads texts, but the data hold inputs of shape {tuple(batch.inputs.shape)} without any",
                "give texts: a table with the columns text and label, or a dataset of texts",
            )
        ids, mask, texts = self.tokenise([text.text for text in batch.text])
        truth = None if batch.truth is None else _truth(batch.truth, batch.text, texts, ids.shape[1])
        label = order[batch.label]
        return replace(batch, inputs=ids, label=label, mask=mask, truth=truth, event=None, text=texts)


def text_classifier(source: str) -> TextClassifier:
    """Load a text classifier of Hugging Face, without running code of the model.

    Args:
        source: Folder with its files, or its id on the hub, which is searched in the cache first.

    Returns:
        The model in evaluation mode on the CPU.

    Raises:
        DependencyError: Without the package transformers.
        DataError: When an id is not in the cache and the hub cannot be reached.
        CheckpointError: When the folder holds no text classifier.
        UnsupportedError: When its tokenizer cannot return the spans of tokens.
    """
    folder = find_folder(source)
    encoded = load_transformers(folder)
    _check_complete(folder, encoded.missing)
    return TextClassifier(encoded.model, reader_of(encoded.tokenizer, encoded.model, str(folder))).eval()


def _check_complete(folder: Path, missing: Sequence[str]) -> None:
    """Reject weights that transformers would draw at random, as those of a head that was never trained."""
    if missing:
        raise CheckpointError(
            f"'{folder}' lacks the weights {', '.join(sorted(missing)[:6])}: it is no trained text classifier",
            "give a model that was trained to classify; perdure train hf:FOLDER trains one from what it began from",
        )


def reader_of(tokenizer: Any, model: Any, source: str) -> Reader:
    """Make the reader of a text classifier.

    Args:
        tokenizer: Tokenizer of the package transformers.
        model: Model that reads its tokens.
        source: Name of both in messages.

    Returns:
        The reader.

    Raises:
        UnsupportedError: When the tokenizer cannot return the spans of tokens.
    """
    if not tokenizer.is_fast:
        raise UnsupportedError(
            f"the tokenizer of '{source}' cannot return the spans of tokens in a text",
            "store a fast one",
        )
    tokens = tokenizer.backend_tokenizer.to_str().encode()
    classes = tuple(str(model.config.id2label[place]) for place in range(model.config.num_labels))
    return Reader(hashlib.sha256(tokens).hexdigest()[:16], classes, _longest(tokenizer, model), tokenizer)


def _longest(tokenizer: Any, model: Any) -> int:
    """Count the tokens that a model has positions for; those of RoBERTa begin after that of padding."""
    positions = getattr(model.config, "max_position_embeddings", None) or 0
    tables = (m for m in model.modules() if isinstance(m, nn.Embedding) and m.num_embeddings == positions)
    first = max((table.padding_idx + 1 for table in tables if table.padding_idx is not None), default=0)
    known = int(tokenizer.model_max_length)
    return min(known, positions - first) if positions > 0 else known


def _spans(offsets: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Give tokens without a character an empty span at the end of the previous token, so that spans ascend."""
    spans, end = [], 0
    for first, last in offsets:
        spans.append((first, last) if last > first else (end, end))
        end = spans[-1][1]
    return tuple(spans)


def _order(named: Sequence[str], outputs: Sequence[str]) -> Int[Tensor, " classes"]:
    """Find the output of each class by its name; where the names differ, the order is taken to be the same."""
    ours, theirs = ([name.lower() for name in names] for names in (named, outputs))
    same = sorted(ours) == sorted(theirs) and len(set(ours)) == len(ours)
    return torch.tensor([theirs.index(name) for name in ours] if same else range(len(ours)))


def _truth(truth: Tensor, old: Sequence[Text], new: Sequence[Text], steps: int) -> Bool[Tensor, "batch time"]:
    """Carry the truth from one set of tokens to another, by characters."""
    carried = torch.zeros(len(new), steps, dtype=torch.bool)
    for row, (before, after) in enumerate(zip(old, new, strict=True)):
        marked = torch.zeros(len(before.text), dtype=torch.bool)
        for place, (first, last) in enumerate(before.spans):
            marked[first:last] |= bool(truth[row, place])
        for place, (first, last) in enumerate(after.spans):
            carried[row, place] = bool(marked[first:last].any())
    return carried
