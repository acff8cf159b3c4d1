"""Small files in the formats that the loaders read."""

import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def pictures(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw grey pictures of 28x28 pixels, most of them empty, and a label for each."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (count, 28, 28), dtype=np.uint8) * (random.random((count, 28, 28)) < 0.2)
    return pixels.astype(np.uint8), np.arange(count) % 10


def write_idx(path: Path, values: np.ndarray) -> None:
    """Write bytes with the documented header: 0, 0, 8, the number of axes, big-endian lengths."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(length.to_bytes(4, "big") for length in values.shape)
    data = header + values.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_mnist_idx(folder: Path, train: int = 60, test: int = 10, suffix: str = "") -> None:
    """Write the four original files."""
    for name, count, seed in (("train", train, 0), ("t10k", test, 1)):
        pixels, label = pictures(count, seed)
        write_idx(folder / f"{name}-images-idx3-ubyte{suffix}", pixels)
        write_idx(folder / f"{name}-labels-idx1-ubyte{suffix}", label)


def write_mnist_parquet(folder: Path, train: int = 60, test: int = 10) -> None:
    """Write the hub's files, training in two shards."""
    for part, count, seed in (("train", train, 0), ("test", test, 1)):
        pixels, label = pictures(count, seed)
        shards = 2 if part == "train" else 1
        for i, rows in enumerate(np.array_split(np.arange(count), shards)):
            image = [{"bytes": _png(pixels[row]), "path": f"{row}.png"} for row in rows]
            table = pa.table({"image": image, "label": label[rows]})
            pq.write_table(table, folder / f"{part}-{i:05d}-of-{shards:05d}.parquet")


def reviews(count: int, seed: int = 0) -> tuple[list[str], list[int]]:
    """Write reviews of one or two sentences, and a label for each."""
    random = np.random.default_rng(seed)
    words = ("The film was not good.", 'A "fine" plot!<br /><br />', "Nobody's music.", "Café, café?")
    texts = [" ".join(random.choice(words, random.integers(1, 3))) for _ in range(count)]
    return texts, [i % 2 for i in range(count)]


def write_imdb_parquet(folder: Path, train: int = 40, test: int = 10) -> None:
    """Write the hub's files, where reviews without a label lie beside the others."""
    for part, count, seed in (("train", train, 0), ("test", test, 1), ("unsupervised", 5, 2)):
        texts, label = reviews(count, seed)
        (folder / "plain_text").mkdir(exist_ok=True)
        table = pa.table({"text": texts, "label": [-1] * count if part == "unsupervised" else label})
        pq.write_table(table, folder / "plain_text" / f"{part}-00000-of-00001.parquet")


def write_imdb_folder(folder: Path, train: int = 40, test: int = 10) -> None:
    """Write the original files, one for each review."""
    for part, count, seed in (("train", train, 0), ("test", test, 1)):
        for number, (text, label) in enumerate(zip(*reviews(count, seed), strict=True)):
            path = folder / "aclImdb" / part / ("neg", "pos")[label] / f"{number}_{label * 9 + 1}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def write_arrays(path: Path, **arrays: object) -> Path:
    """Write an archive of 20 series of 5 steps and 3 features, with keys replaced, added or (None) left out."""
    random = np.random.default_rng(0)
    found = {"inputs": random.normal(size=(20, 5, 3)).astype(np.float32), "label": np.arange(20) % 2, **arrays}
    np.savez(path, **{key: value for key, value in found.items() if value is not None})
    return path


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
