"""Text classifiers of Hugging Face: asked by token ids or by their embeddings, with the tokens of their own."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from perdure.core.batch import Batch
from perdure.core.check import check_ids
from perdure.core.errors import CheckpointError, EmptyDataError, UnsupportedError
from perdure.core.text import Text
from perdure.data.splits import Splits
from perdure.models.from_transformers import folder_of, loaded
from perdure.ops.sequence import length_mask

__all__ = ["Reader", "TextClassifier", "reader_of", "text_classifier"]

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reader:
    """How a text classifier reads: its tokens, and the names of its classes.

    Args:
        digest: of the tokens; readers with the same one read alike.
        classes: names, in the order of the outputs.
        longest: the most tokens that the model reads; further ones are cut off, which is logged.
        tokenizer: of the package transformers.
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
            texts: as they were written.

        Returns:
            The ids, padded at the end, the mask of valid tokens, and where the tokens stand; tokens that stand for no
            character, such as the first one of BERT, have an empty place.

        Raises:
            EmptyDataError: without texts.
        """
        if not texts:
            raise EmptyDataError("there is no text", "give at least one to each of training, validation and test")
        found = self.tokenizer(list(texts), return_offsets_mapping=True, truncation=False)
        too_long = sum(len(ids) > self.longest for ids in found["input_ids"])
        if too_long:
            LOG.warning("%d texts are cut to the %d tokens that the model reads", too_long, self.longest)
            found = self.tokenizer(list(texts), return_offsets_mapping=True, truncation=True, max_length=self.longest)
        rows = [torch.tensor(ids) for ids in found["input_ids"]]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id or 0)
        mask = length_mask(torch.tensor([len(row) for row in rows]), ids.shape[1])
        places = [_spans(spans) for spans in found["offset_mapping"]]
        return ids, mask, tuple(Text(text, spans, pieces=True) for text, spans in zip(texts, places, strict=True))

    def __call__(self, splits: Splits) -> Splits:
        """Read the texts of splits in the tokens of the model.

        A token is known to matter when a character of it was. Where the data name the same classes in another order,
        their labels take that of the outputs; event types are left out.

        Args:
            splits: of texts.

        Returns:
            The same samples.

        Raises:
            UnsupportedError: when the data are no texts.
        """
        order = _order(splits.classes, self.classes)
        train, validation, test = (self._read(one, order) for one in (splits.train, splits.validation, splits.test))
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


class TextClassifier(nn.Module):
    """A text classifier of Hugging Face that takes embeddings as well as token ids.

    Decoders, such as GPT-2, classify by what they say at the last token of a text. Their own `forward` finds it by the
    id of padding, and so not at all among embeddings; here it is found by the lengths.

    Args:
        model: of the package transformers.
        reader: that belongs to it.
    """

    def __init__(self, model: nn.Module, reader: Reader) -> None:
        super().__init__()
        self.model, self.reader = model, reader

    def embed(self, ids: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time feature"]:
        """Look tokens up.

        Args:
            ids: of the tokens.

        Returns:
            Their embeddings, before positions are added.

        Raises:
            ShapeError: when the ids are no whole numbers (batch, time).
            VocabularyError: when one lies outside the vocabulary.
        """
        embedding: Any = self.model.get_input_embeddings()  # type: ignore[operator]
        check_ids(ids, embedding.num_embeddings)
        found: Tensor = embedding(ids)
        return found

    def forward(
        self,
        x: Int[Tensor, "batch time"] | Float[Tensor, "batch time feature"],
        lengths: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch classes"]:
        """Classify texts.

        Args:
            x: token ids, or their embeddings.
            lengths: valid tokens of each text; None when all are.

        Returns:
            Logits.
        """
        lengths = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        mask = length_mask(lengths.to(x.device), x.shape[1]).long()
        given = {"inputs_embeds" if x.is_floating_point() else "input_ids": x}
        if isinstance(getattr(self.model, "score", None), nn.Linear):  # what heads of decoders are called
            return self._at_the_last(self.model.base_model(**given, attention_mask=mask, use_cache=False)[0], lengths)  # type: ignore[operator]
        logits: Tensor = self.model(**given, attention_mask=mask).logits
        return logits

    def _at_the_last(self, states: Tensor, lengths: Tensor) -> Tensor:
        rows = torch.arange(len(states), device=states.device)
        logits: Tensor = self.model.score(states[rows, lengths.to(states.device) - 1])  # type: ignore[operator]
        return logits


def text_classifier(source: str) -> TextClassifier:
    """Load a text classifier of Hugging Face; no code that comes with it runs.

    Args:
        source: a folder with its files, or its id on the hub, which is looked for in the cache first.

    Returns:
        The model in evaluation mode on the CPU.

    Raises:
        DependencyError: without the package transformers.
        DataError: when an id is not in the cache and the hub cannot be reached.
        CheckpointError: when the folder holds no text classifier.
        UnsupportedError: when its tokenizer cannot tell where a token stands.
    """
    folder = folder_of(source)
    found = loaded(folder)
    _check_complete(folder, found.missing)
    return TextClassifier(found.model, reader_of(found.tokenizer, found.model, str(folder))).eval()


def _check_complete(folder: Path, missing: Sequence[str]) -> None:
    """Refuse weights that transformers would draw at random, as those of a head that was never trained."""
    if missing:
        raise CheckpointError(
            f"'{folder}' lacks the weights {', '.join(sorted(missing)[:6])}: it is no trained text classifier",
            "give a model that was trained to classify; perdure train hf:FOLDER trains one from what it began from",
        )


def reader_of(tokenizer: Any, model: Any, source: str) -> Reader:
    """Describe how a text classifier reads.

    Args:
        tokenizer: of the package transformers.
        model: that reads its tokens.
        source: what to call both in a message.

    Returns:
        The reader.

    Raises:
        UnsupportedError: when the tokenizer cannot tell where a token stands.
    """
    if not tokenizer.is_fast:
        raise UnsupportedError(
            f"the tokenizer of '{source}' cannot tell where a token stands in a text",
            "store a fast one",
        )
    tokens = tokenizer.backend_tokenizer.to_str().encode()
    classes = tuple(str(model.config.id2label[place]) for place in range(model.config.num_labels))
    return Reader(hashlib.sha256(tokens).hexdigest()[:16], classes, _longest(tokenizer, model), tokenizer)


def _longest(tokenizer: Any, model: Any) -> int:
    """Count the tokens that a model has positions for; those of RoBERTa begin behind that of padding."""
    positions = getattr(model.config, "max_position_embeddings", None) or 0
    tables = (one for one in model.modules() if isinstance(one, nn.Embedding) and one.num_embeddings == positions)
    first = max((one.padding_idx + 1 for one in tables if one.padding_idx is not None), default=0)
    known = int(tokenizer.model_max_length)
    return min(known, positions - first) if positions > 0 else known


def _spans(found: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Let tokens without a character stand where the token before them ends, so that places ascend."""
    spans, end = [], 0
    for first, last in found:
        spans.append((first, last) if last > first else (end, end))
        end = spans[-1][1]
    return tuple(spans)


def _order(named: Sequence[str], outputs: Sequence[str]) -> Int[Tensor, " classes"]:
    """Find the output of each class by its name; where the names differ, the order is taken to be the same."""
    ours, theirs = ([name.lower() for name in names] for names in (named, outputs))
    same = sorted(ours) == sorted(theirs) and len(set(ours)) == len(ours)
    return torch.tensor([theirs.index(name) for name in ours] if same else range(len(ours)))


def _truth(truth: Tensor, old: Sequence[Text], new: Sequence[Text], steps: int) -> Bool[Tensor, "batch time"]:
    """Carry what is known to matter from one set of tokens to another, by characters."""
    carried = torch.zeros(len(new), steps, dtype=torch.bool)
    for row, (before, after) in enumerate(zip(old, new, strict=True)):
        marked = torch.zeros(len(before.text), dtype=torch.bool)
        for place, (first, last) in enumerate(before.spans):
            marked[first:last] |= bool(truth[row, place])
        for place, (first, last) in enumerate(after.spans):
            carried[row, place] = bool(marked[first:last].any())
    return carried
