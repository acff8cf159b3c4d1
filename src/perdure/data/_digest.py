"""A digest of data, by which a run folder recognises them."""

from __future__ import annotations

import hashlib
import json

from torch import Tensor

from perdure.core.batch import Batch
from perdure.core.digest import digest_tensors
from perdure.data._splits import Splits

__all__ = ["digest_splits"]

PARTS = ("train", "validation", "test")


def digest_splits(splits: Splits) -> str:
    """Hash all that a run reads of its data: the samples of all parts, their names and texts, and all other names.

    The content counts, not the name of a file or its time of change. Nothing is read again.

    Args:
        splits: Data of a run, as loaded.

    Returns:
        Sixteen hexadecimal digits.

    Example:
        >>> import torch
        >>> batch = Batch(torch.zeros(2, 1), torch.tensor([0, 1]))
        >>> first, second = (Splits(batch, batch, batch, classes) for classes in (("a", "b"), ("a", "c")))
        >>> digest_splits(first) == digest_splits(second)
        False
    """
    tensors = {
        f"{part}.{name}": value
        for part in PARTS
        for name, value in vars(getattr(splits, part)).items()
        if isinstance(value, Tensor)
    }
    names = (splits.classes, splits.vocabulary, splits.types, splits.feature_names)
    words = hashlib.sha256(json.dumps([names, *(_list_words(getattr(splits, part)) for part in PARTS)]).encode())
    return digest_tensors({**tensors, words.hexdigest(): None})


def _list_words(batch: Batch) -> list[object]:
    return [batch.id, [(text.text, text.spans) for text in batch.text]]
