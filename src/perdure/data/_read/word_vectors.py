"""Word vectors, learnt from the training texts or read from a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import svds
from torch import Tensor

from perdure.core.errors import DataError, VocabularyError
from perdure.data._read.guard import named_errors
from perdure.data._read.stored_arrays import list_arrays, read_array

__all__ = ["learn_vectors", "read_vectors"]

WINDOW = 5
"""Words to either side that count as neighbours."""

SMOOTHING = 0.75
"""Power of the frequency of a neighbour, which makes rare ones count less."""


def learn_vectors(
    ids: Int[Tensor, "batch time"], mask: Bool[Tensor, "batch time"], words: int, dimensions: int
) -> Float[Tensor, "word dimension"]:
    """Learn vectors that are similar for words with similar neighbours.

    The positive pointwise mutual information of a word and its neighbour, max(0, log p(w, c) / p(w) p(c)), is a
    sparse matrix; the vectors are the rows of its truncated singular value decomposition, U S^(1/2), scaled to a mean
    square of one over the tokens of the texts. No random number is drawn.

    Args:
        ids: Tokens of the training texts.
        mask: True at valid tokens.
        words: Size of the vocabulary.
        dimensions: Dimensions of a vector, at most one less than there are words.

    Returns:
        A vector for each word, zero for a word without neighbours.

    Reference:
        levy2015improving

    Example:
        >>> ids = torch.tensor([[2, 3, 4], [5, 6, 7]])
        >>> vectors = learn_vectors(ids, ids > 1, 8, 2)
        >>> torch.cosine_similarity(vectors[2], vectors[3:], 1).abs().round(decimals=3).tolist()
        [1.0, 1.0, 0.0, 0.0, 0.0]
    """
    table = _information(_neighbours(ids, mask, words))
    size = min(dimensions, words - 1)
    left, strength, _ = svds(table, k=size, v0=np.ones(words) / np.sqrt(words))
    result = (left * np.sqrt(strength))[:, ::-1] * (np.asarray(table.sum(1)) > 0)[:, None]
    top = np.abs(result).argmax(0)
    signed = torch.from_numpy(result * np.sign(result[top, np.arange(size)])).float()
    square = signed[ids[mask]].square().mean()
    return signed / square.sqrt() if square > 0 else signed


def read_vectors(path: Path, vocabulary: Sequence[str]) -> Float[Tensor, "word dimension"]:
    """Read the vectors of words.

    Args:
        path: Path of an .npz archive with `words` and `vectors`, or of text with a word and its numbers, with blanks
            between, in each line, as GloVe and word2vec publish them.
        vocabulary: Words to read.

    Returns:
        A vector for each word, zero for one that the table lacks.

    Raises:
        DataError: When the table cannot be read.
        VocabularyError: When it has none of the words.
    """
    if not path.is_file():
        raise DataError(f"there is no file '{path}'", "give a table of word vectors, .npz or text")
    with named_errors(
        f"the word vectors in '{path}' cannot be read",
        "give an .npz archive with 'words' and 'vectors', or lines of a word and its numbers",
    ):
        result = _from_archive(path) if path.suffix == ".npz" else _from_text(path, set(vocabulary))
    known = [word in result for word in vocabulary]
    if not any(known):
        raise VocabularyError(f"'{path}' has a vector for none of the words", "give one in the language of the texts")
    size = len(next(iter(result.values())))
    rows = [result.get(word, np.zeros(size, np.float32)) for word in vocabulary]
    vectors = torch.from_numpy(np.stack(rows))
    if not torch.isfinite(vectors).all():
        word = vocabulary[int((~torch.isfinite(vectors)).any(1).int().argmax())]
        raise DataError(f"the vector of '{word}' in '{path}' holds NaN or infinity", "correct the table")
    return vectors


def _neighbours(ids: Tensor, mask: Tensor, words: int) -> csr_array:
    """Count how often two words are near each other, in either order."""
    total = csr_array((words, words))
    for distance in range(1, min(WINDOW, ids.shape[1] - 1) + 1):
        both = mask[:, distance:] & mask[:, :-distance]
        item, other = ids[:, :-distance][both].numpy(), ids[:, distance:][both].numpy()
        count = coo_array((np.ones(len(item)), (item, other)), shape=(words, words)).tocsr()
        total = total + count + count.T
    return total


def _information(counts: csr_array) -> csr_array:
    """Turn counts into positive pointwise mutual information."""
    pairs = counts.tocoo()
    row, column = np.asarray(counts.sum(1)), np.asarray(counts.sum(0)) ** SMOOTHING
    expected = row[pairs.row] * (column / column.sum())[pairs.col]
    values = np.maximum(np.log(pairs.data / expected), 0)
    return coo_array((values, (pairs.row, pairs.col)), shape=counts.shape).tocsr()


def _from_archive(path: Path) -> dict[str, np.ndarray]:
    stored = list_arrays(path, "write it with numpy.savez(path, words=..., vectors=...)")
    words, vectors = (read_array(stored, name) for name in ("words", "vectors"))
    with np.errstate(over="ignore"):
        vectors = vectors.astype(np.float32)
    if vectors.ndim != 2 or words.shape != vectors.shape[:1]:
        raise ValueError(f"'words' has shape {words.shape}, 'vectors' {vectors.shape}")
    return {str(word): vector for word, vector in zip(words, vectors, strict=True)}


def _from_text(path: Path, wanted: set[str]) -> dict[str, np.ndarray]:
    """Read lines of a word and its numbers, after a line of two numbers where word2vec wrote it."""
    result: dict[str, np.ndarray] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            word, *cells = line.rstrip().split(" ")
            if word in wanted and not (number == 1 and len(cells) == 1):
                result[word] = np.array(cells, dtype=np.float32)
                if len(result[word]) != len(next(iter(result.values()))):
                    raise ValueError(f"line {number} has {len(cells)} numbers")
    return result
