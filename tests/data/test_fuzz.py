"""Damaged files of every kind end in a result or in an error of perdure, soon and in little memory."""

import gzip
import random
import re
import resource
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from perdure.core.errors import PerdureError
from perdure.core.registry import DATASETS
from tests.data.files import (
    event_arrays,
    long_rows,
    reviews,
    write_arrays,
    write_cifar_parquet,
    write_event_archive,
    write_event_folder,
    write_long_csv,
    write_mnist_idx,
    write_mnist_parquet,
    write_pictures,
    write_voc,
)

SECONDS, KILOBYTES = 10, 2**20
MODES = {
    "8.png": "RGB",
    "16.png": "I;16",
    "alpha.png": "RGBA",
    "a.jpg": "RGB",
    "16.tif": "I;16",
    "f.tif": "F",
    "p.gif": "P",
    "a.webp": "RGB",
    "a.bmp": "RGB",
    "a.jp2": "RGB",
    "a.ppm": "RGB",
    "a.tga": "RGB",
    "a.ico": "RGB",
}


def mutate(content, draw):
    """Change a file in one to three ways: bits, cuts, repeated and zeroed slices, other numbers, inserted bytes."""
    data = bytearray(content)
    for _ in range(draw.randint(1, 3)):
        start = draw.randrange(len(data) + 1)
        end = min(len(data), start + draw.choice((1, 4, 16, 200)))
        kind = draw.choice(("bits", "bits", "cut", "drop", "repeat", "zero", "ones", "number", "insert"))
        if kind == "bits":
            for place in (draw.randrange(len(data)) for _ in range(draw.choice((1, 1, 8)) if data else 0)):
                data[place] ^= 1 << draw.randrange(8)
        elif kind == "cut":
            del data[start:]
        elif kind == "drop":
            del data[start:end]
        elif kind == "repeat":
            data[start:start] = data[start:end] * draw.choice((1, 1, 50))
        elif kind in ("zero", "ones"):
            data[start:end] = (b"\0" if kind == "zero" else b"\xff") * (end - start)
        elif kind == "number" and (numbers := list(re.finditer(rb"\d+", data))):
            result = draw.choice(numbers)
            data[result.start() : result.end()] = draw.choice(
                (b"-1", b"0", b"99999999999999", b"1e400", b"nan", b"\xe9")
            )
        elif kind == "insert":
            data[start:start] = draw.randbytes(draw.choice((1, 4, 64)))
    return bytes(data)


def texts(folder):
    frame = pd.DataFrame(dict(zip(("text", "label"), reviews(20), strict=True)))
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_parquet(folder / "a.parquet")
    frame.to_json(folder / "a.jsonl", orient="records", lines=True)


def tables(folder):
    header, *rows = long_rows(12)
    frame = pd.DataFrame(rows, columns=header)
    kinds = {"time": "datetime64[ms]", "label": "category", "x": "float32"}
    frame.astype(kinds).to_parquet(folder / "a.parquet")
    frame.astype({"time": "timedelta64[s]"}).to_parquet(folder / "b.parquet", compression=None)


def csv_gz(folder):
    (folder / "a.csv.gz").write_bytes(gzip.compress(write_long_csv(folder, 12).read_bytes().replace(b",", b";")))
    (folder / "long.csv").unlink()


def pictures(folder):
    write_pictures(folder, count=4)
    for number, (name, mode) in enumerate(MODES.items()):
        values = np.random.default_rng(number).random((16, 16))
        picture = Image.fromarray(values.astype(np.float32))
        if mode != "F":
            picture = Image.fromarray(
                (values * (65535 if mode == "I;16" else 255)).astype("u2" if "16" in mode else "u1")
            )
        exif = Image.Exif()
        exif[274] = 1 + number % 8
        (picture if picture.mode == mode else picture.convert(mode)).save(folder / "dog" / name, exif=exif)
    for name in (f"{kind}_{i}" for kind in ("cat", "dog") for i in range(4)):
        write_voc(folder / "annotations" / f"{name}.xml", (1, 1, 4, 3), name=name[:3])


def series(folder):
    header = "@problemName Tiny\n@timeStamps false\n@univariate false\n@classLabel true b a\n@data\n"
    lines = "".join(f"{i},2,3:4,5,{i}.5:{'ab'[i % 2]}\n" for i in range(10))
    for part in ("TRAIN", "TEST"):
        (folder / f"Tiny_{part}.ts").write_text(header + lines)


KINDS = {
    "npz": (lambda folder: write_arrays(folder / "a.npz", features=np.array(["a", "b", "c"])), "arrays:path={file}"),
    "npz events": (lambda folder: write_event_archive(folder, **event_arrays()), "events:path={file}"),
    "event folder": (lambda folder: write_event_folder(folder, **event_arrays()), "events:path={folder}"),
    "csv": (lambda folder: write_long_csv(folder, 12), "table:path={file}"),
    "csv.gz": (csv_gz, "table:path={file}"),
    "parquet": (tables, "table:path={file}"),
    "texts": (texts, "text_table:path={file}"),
    "pictures": (pictures, "image_folder:path={folder},size=8,boxes=only"),
    "idx": (lambda folder: write_mnist_idx(folder, 12, 10), "mnist_series:path={folder}"),
    "idx.gz": (lambda folder: write_mnist_idx(folder, 12, 10, ".gz"), "mnist_series:path={folder}"),
    "mnist": (lambda folder: write_mnist_parquet(folder, 12, 10), "mnist_series:path={folder}"),
    "cifar": (lambda folder: write_cifar_parquet(folder, 20, 10), "cifar10:path={folder}"),
    "ts": (series, "sktime:name=Tiny,path={folder}"),
}


def failure(text, name):
    """Load data and give the message of the named error; other errors get the name of the case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            DATASETS.make(text).load(0)
        except PerdureError as error:
            return str(error)
        except BaseException as error:
            error.add_note(name)
            raise
    return ""


@pytest.mark.parametrize("count", [30, pytest.param(300, marks=(pytest.mark.slow, pytest.mark.timeout(1800)))])
@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_file_ends_in_a_named_error_or_a_result(kind, count, tmp_path):
    write, text = KINDS[kind]
    write(tmp_path)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert failure(text.format(file=files[0], folder=tmp_path), "whole") == ""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(count):
        draw = random.Random(f"{kind} {seed}")
        file = draw.choice(files)
        whole = file.read_bytes()
        file.write_bytes(mutate(whole, draw))
        began = time.monotonic()
        message = failure(text.format(file=file, folder=tmp_path), f"seed {seed} of {file.name}")
        assert "\x1b" not in message, f"seed {seed}"
        assert time.monotonic() - began < SECONDS, f"seed {seed} of {file.name}"
        file.write_bytes(whole)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < KILOBYTES
