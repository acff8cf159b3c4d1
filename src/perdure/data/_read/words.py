"""Word tokens: token ids of texts, and the characters of each token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from perdure.core.batch import PAD, SPECIAL, Text
from perdure.core.errors import EmptyDataError, LengthError, SettingError
from perdure.core.optional import require

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["encode", "learn_vocabulary"]


def learn_vocabulary(texts: Sequence[str], words: int) -> tuple[str, ...]:
    """Find the most frequent words of texts.

    Texts are read in lower case, with every punctuation character as a separate word and HTML line breaks as blanks.

    Args:
        texts: Texts to learn from, training samples only.
        words: Maximum number of words.

    Returns:
        The vocabulary: "<unk>" and "<pad>", then the words, frequent ones first, in alphabetical order among equals.

    Raises:
        DependencyError: Without the package tokenizers.

    Example:
        >>> learn_vocabulary(["Not good.", "Not bad."], 3)
        ('<unk>', '<pad>', '.', 'not', 'bad')
    """
    tokenizer = _tokenizer({})
    from tokenizers.trainers import WordLevelTrainer

    size = words + len(SPECIAL)
    tokenizer.train_from_iterator(
        texts, WordLevelTrainer(vocab_size=size, special_tokens=list(SPECIAL), show_progress=False)
    )
    result = tokenizer.get_vocab()
    return tuple(sorted(result, key=result.__getitem__))


def encode(
    texts: Sequence[str],
    vocabulary: Sequence[str],
    longest: int | None = None,
    *,
    cut: bool = False,
    names: Sequence[str] = (),
) -> tuple[Int[Tensor, "batch time"], Bool[Tensor, "batch time"], tuple[Text, ...]]:
    """Turn texts into token ids.

    Args:
        texts: Texts, read as `learn_vocabulary` does.
        vocabulary: Vocabulary of `learn_vocabulary`, or of a checkpoint.
        longest: Maximum number of tokens of a text; None for any number.
        cut: Whether to truncate longer texts; else they are an error.
        names: Names of the texts in messages; without them messages number the texts.

    Returns:
        The ids, padded to the longest text, the mask of valid tokens, and the characters of the tokens.

    Raises:
        DependencyError: Without the package tokenizers.
        EmptyDataError: Without texts.
        LengthError: For a text without a token, or with too many of them.
        SettingError: For a vocabulary that does not begin with "<unk>" and "<pad>".

    Example:
        >>> ids, mask, texts = encode(["Good!", "Not so good."], ("<unk>", "<pad>", "not", "good", "."))
        >>> ids.tolist(), mask.sum(1).tolist(), texts[1].spans
        ([[3, 0, 1, 1], [2, 0, 3, 4]], [2, 4], ((0, 3), (4, 6), (7, 11), (11, 12)))
    """
    if tuple(vocabulary[:2]) != SPECIAL:
        raise SettingError(
            f"the vocabulary begins with {tuple(vocabulary[:2])}",
            f"begin with {SPECIAL}, as learn_vocabulary does",
        )
    if not texts:
        raise EmptyDataError("there is no text", "give at least one to each of training, validation and test")
    tokenizer = _tokenizer({word: number for number, word in enumerate(vocabulary)})
    result = tokenizer.encode_batch(list(texts))
    lengths = [len(encoding.ids) for encoding in result]
    for place, length in enumerate(lengths):
        _check_length(f"'{names[place]}'" if names else f"text {place}", length, None if cut else longest)
    kept = [min(length, longest or length) for length in lengths]
    ids = torch.full((len(texts), max(kept)), PAD)
    for row, encoding, length in zip(ids, result, kept, strict=True):
        row[:length] = torch.tensor(encoding.ids[:length])
    mask = torch.arange(ids.shape[1]) < torch.tensor(kept)[:, None]
    spans = (tuple(encoding.offsets[:length]) for encoding, length in zip(result, kept, strict=True))
    return ids, mask, tuple(Text(text, group) for text, group in zip(texts, spans, strict=True))


def _check_length(name: str, length: int, longest: int | None) -> None:
    if length == 0:
        raise LengthError(f"{name} has no token", "leave empty texts out")
    if longest is not None and length > longest:
        raise LengthError(f"{name} has {length} tokens, where {longest} are allowed", "shorten it, or allow more")


def _tokenizer(ids: dict[str, int]) -> Tokenizer:
    require("tokenizers", extra="text", purpose="reading texts")
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase, Replace, Sequence
    from tokenizers.pre_tokenizers import BertPreTokenizer

    tokenizer = Tokenizer(WordLevel(ids, unk_token=SPECIAL[0]))
    tokenizer.normalizer = Sequence([Replace(Regex(r"<br\s*/?>"), " "), Lowercase()])
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer
