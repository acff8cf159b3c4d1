"""Small files in the formats that the loaders read."""

import csv
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
    words = ("The film was not good.", 'A "fine" plot!<br /><br />', "Someone's music.", "Café, café?")
    texts = [" ".join(random.choice(words, random.integers(1, 3))) for _ in range(count)]
    return texts, [i % 2 for i in range(count)]


def write_imdb_parquet(folder: Path, train: int = 40, test: int = 10) -> None:
    """Write the hub's files, where reviews without a label are among the others."""
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


def photographs(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw colour pictures of 32x32 pixels, rows first and channels last, and one of ten labels for each."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    return pixels, np.arange(count) % 10


def write_cifar_binary(folder: Path, train: int = 40, test: int = 10) -> None:
    """Write the binary version: per picture its label, then all of red, all of green and all of blue."""
    pixels, label = photographs(train)
    batches = [
        (f"data_batch_{i + 1}.bin", pixels[rows], label[rows])
        for i, rows in enumerate(np.array_split(np.arange(train), 5))
    ]
    for name, group, labels in [*batches, ("test_batch.bin", *photographs(test, 1))]:
        records = [
            bytes([item]) + picture.transpose(2, 0, 1).tobytes() for picture, item in zip(group, labels, strict=True)
        ]
        (folder / name).write_bytes(b"".join(records))


def write_cifar_parquet(folder: Path, train: int = 40, test: int = 10) -> None:
    """Write the hub's files."""
    for part, count, seed in (("train", train, 0), ("test", test, 1)):
        pixels, label = photographs(count, seed)
        image = [{"bytes": _png(item), "path": None} for item in pixels]
        pq.write_table(pa.table({"img": image, "label": label}), folder / f"{part}-00000-of-00001.parquet")


def write_picture(path: Path, rows: int = 6, columns: int = 8, colour: tuple[int, int, int] = (200, 100, 50)) -> Path:
    """Write a picture of one colour in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (columns, rows), colour).save(path)
    return path


def write_pictures(folder: Path, places: tuple[str, ...] = ("cat", "dog"), count: int = 10) -> Path:
    """Write pictures named after their class and number into some class folders."""
    for place in places:
        for i in range(count):
            write_picture(folder / place / f"{Path(place).name}_{i}.png", colour=(i, 100, 50))
    return folder


def write_voc(path: Path, *boxes: tuple[int, int, int, int], name: str = "cat") -> Path:
    """Write an annotation with boxes (xmin, ymin, xmax, ymax) around things of one name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sides = ("xmin", "ymin", "xmax", "ymax")
    objects = [
        f"<object><name>{name}</name><bndbox>"
        + "".join(f"<{side}>{value}</{side}>" for side, value in zip(sides, box, strict=True))
        + "</bndbox></object>"
        for box in boxes
    ]
    path.write_text(f"<annotation><size><width>8</width><height>6</height></size>{''.join(objects)}</annotation>")
    return path


def write_arrays(path: Path, **arrays: object) -> Path:
    """Write an archive of 20 series of 5 steps and 3 features, with keys replaced, added or (None) left out."""
    random = np.random.default_rng(0)
    result = {"inputs": random.normal(size=(20, 5, 3)).astype(np.float32), "label": np.arange(20) % 2, **arrays}
    np.savez(path, **{key: value for key, value in result.items() if value is not None})
    return path


def long_rows(samples: int) -> list[list[object]]:
    """List the header and the rows of series of 3 and 4 steps with two features, cell by cell."""
    rows: list[list[object]] = [["id", "time", "x", "y", "label"]]
    for i in range(samples):
        for t in range(3 + i % 2):
            rows.append([f"s{i}", t, 100 * i + 10 * t, 100 * i + 10 * t + 1, ("walk", "run")[i % 2]])
    return rows


def write_csv(path: Path, rows: list[list[object]]) -> Path:
    """Write rows of cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def write_long_csv(folder: Path, samples: int = 20) -> Path:
    """Write series with one step in each row."""
    return write_csv(folder / "long.csv", long_rows(samples))


def event_arrays(names: tuple[str, ...] = ("_train", "_val", "_test")) -> dict[str, np.ndarray]:
    """Draw three buckets of 4 series for each split, of 5, 4 and 2 steps with 3 features and one of 4 types or none."""
    random, arrays = np.random.default_rng(0), {}
    for name in names:
        for bucket, steps in ((0, 5), (2, 4), (10, 2)):
            types = np.eye(5, 4, dtype=np.float32)[random.integers(5, size=(4, steps))]
            arrays[f"x{name}_{bucket}"] = random.normal(size=(4, steps, 3)).astype(np.float32)
            arrays[f"y{name}_{bucket}"] = np.eye(2, dtype=np.float32)[np.arange(4) % 2][:, None]
            arrays[f"f{name}_{bucket}"] = types
            arrays[f"e{name}_{bucket}"] = types.max(1)
    return arrays


def write_event_folder(folder: Path, **arrays: np.ndarray) -> Path:
    """Write one file for each array."""
    for name, value in arrays.items():
        np.save(folder / f"{name}.npy", value)
    return folder


def write_event_archive(folder: Path, **arrays: np.ndarray) -> Path:
    """Write all arrays into one archive."""
    np.savez(folder / "events.npz", **arrays)
    return folder / "events.npz"


def _png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_wordnet(folder: Path) -> Path:
    """Write a WordNet of three nouns and a verb: an actor is a person, who is nothing wider, as is a film."""
    path = folder / "corpora" / "wordnet"
    path.mkdir(parents=True)
    names = ["adj.all", "noun.person", "noun.communication", "verb.emotion"]
    lexicographers = "".join(f"{i:02d}\t{name}\t1\n" for i, name in enumerate(names))
    person = "00000000 01 n 01 person 0 000 | a human being  \n"
    actor = f"{len(person):08d} 01 n 01 actor 0 001 @ 00000000 n 0000 | who acts  \n"
    film = f"{len(person + actor):08d} 02 n 01 film 0 000 | moving pictures  \n"
    places = {"actor": len(person), "film": len(person + actor), "person": 0}
    files = {
        "lexnames": lexicographers,
        "data.noun": person + actor + film,
        "index.noun": "".join(f"{word} n 1 0 1 0 {place:08d}  \n" for word, place in places.items()),
        "data.verb": "00000000 03 v 01 love 0 000 00 | like a lot  \n",
        "index.verb": "love v 1 0 1 0 00000000  \n",
    }
    empty = ("data.adj", "data.adv", "index.adj", "index.adv", "index.sense", "cntlist.rev")
    rules = ("noun.exc", "verb.exc", "adj.exc", "adv.exc")
    for name in (*files, *empty, *rules):
        (path / name).write_text(files.get(name, ""))
    return path
