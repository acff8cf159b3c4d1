import math

import numpy as np
import pytest
import torch

from perdure.core.errors import DataError, VocabularyError
from perdure.data._read.word_vectors import learn_vectors, read_vectors


def information(texts, words):
    """Positive pointwise mutual information of words within five places of each other, counted one by one."""
    counts = [[0.0] * words for _ in range(words)]
    for text in texts:
        for i, item in enumerate(text):
            for j, other in enumerate(text):
                if i != j and abs(i - j) <= 5:
                    counts[item][other] += 1
    total = sum(map(sum, counts))
    smooth = [sum(row) ** 0.75 for row in counts]
    table = np.zeros((words, words))
    for a in range(words):
        for b in range(words):
            if counts[a][b]:
                ratio = counts[a][b] / total / (sum(counts[a]) / total * smooth[b] / sum(smooth))
                table[a, b] = max(0.0, math.log(ratio))
    return table


def test_vectors_are_the_truncated_decomposition_of_mutual_information():
    """Dot products of U S^(1/2) are those of the full decomposition cut to the same rank, up to the common scale."""
    random = np.random.default_rng(0)
    texts = [random.integers(2, 12, random.integers(4, 12)).tolist() for _ in range(30)]
    ids = torch.ones(30, 12, dtype=torch.int64)
    for row, text in zip(ids, texts, strict=True):
        row[: len(text)] = torch.tensor(text)
    result = learn_vectors(ids, ids != 1, 12, 4).double().numpy()
    left, strength, _ = np.linalg.svd(information(texts, 12))
    expected = left[:, :4] * np.sqrt(strength[:4])
    ratio = np.linalg.norm(result) / np.linalg.norm(expected)
    np.testing.assert_allclose(result @ result.T, ratio**2 * expected @ expected.T, atol=1e-5)
    tokens = [item for text in texts for item in text]
    assert math.isclose(np.square(result[tokens]).mean(), 1, rel_tol=1e-5)
    assert (np.abs(result[:2]) < 1e-6).all()


def test_padding_changes_nothing():
    ids = torch.randint(8, (20, 6), generator=torch.Generator().manual_seed(0))
    longer = torch.cat([ids, torch.full((20, 3), 7)], 1)
    mask = torch.arange(9).expand(20, 9) < 6
    assert torch.equal(learn_vectors(ids, ids >= 0, 8, 3), learn_vectors(longer, mask, 8, 3))


@pytest.fixture(params=["archive", "glove", "word2vec"])
def table(request, tmp_path):
    words, vectors = ["good", "café", "other"], [[1.0, 2], [3, 4], [5, 6]]
    if request.param == "archive":
        np.savez(tmp_path / "a.npz", words=np.array(words), vectors=np.array(vectors))
        return tmp_path / "a.npz"
    lines = [f"{word} {first} {second}" for word, (first, second) in zip(words, vectors, strict=True)]
    lines = ["3 2", *lines] if request.param == "word2vec" else lines
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "a.txt"


def test_published_tables_are_read(table):
    assert read_vectors(table, ("<unk>", "café", "good")).tolist() == [[0, 0], [3, 4], [1, 2]]
    with pytest.raises(VocabularyError, match="none of the words"):
        read_vectors(table, ("bon",))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "good 1 2\nbad 1", "cannot be read: line 2 has 1 numbers"),
        ("a.txt", "good 1 x", "cannot be read: could not convert"),
        ("a.txt", "good nan 1", "vector of 'good' .* holds NaN"),
        ("a.npz", "PK", "cannot be read"),
        ("b.txt", None, "there is no file"),
    ],
)
def test_tables_that_cannot_be_used_are_named(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_vectors(tmp_path / name, ("good", "bad"))


def test_arrays_that_do_not_fit_are_named(tmp_path):
    np.savez(tmp_path / "a.npz", words=np.array(["good"]), vectors=np.zeros((2, 3)))
    with pytest.raises(DataError, match=r"'words' has shape \(1,\), 'vectors' \(2, 3\)"):
        read_vectors(tmp_path / "a.npz", ("good",))
