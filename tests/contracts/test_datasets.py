"""What every dataset of the registry must keep to."""

from dataclasses import MISSING, fields
from itertools import pairwise

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from perdure.core.batch import PAD, SPECIAL, UNKNOWN
from perdure.core.registry import DATASETS
from tests.data.files import (
    event_arrays,
    reviews,
    write_arrays,
    write_cifar_binary,
    write_csv,
    write_event_archive,
    write_imdb_parquet,
    write_long_csv,
    write_mnist_idx,
    write_pictures,
)
from tests.data.fmri_files import write_numbered


def write_mnist_folder(folder):
    write_mnist_idx(folder)
    return folder


def write_imdb_folder(folder):
    write_imdb_parquet(folder)
    return folder


def write_cifar_folder(folder):
    write_cifar_binary(folder)
    return folder


def write_amazon_folder(folder):
    for part, count in (("train", 40), ("test", 10)):
        texts, label = reviews(count)
        pq.write_table(pa.table({"content": texts, "label": label}), folder / f"{part}-00000-of-00001.parquet")
    return folder


def write_text_table(folder):
    return write_csv(folder / "a.csv", [["text", "label"], *zip(*reviews(40), strict=True)])


def write_boiler(folder):
    draw = torch.Generator().manual_seed(0)
    torch.save(torch.randn(6, 40, 3, generator=draw), folder / "xfull.pt")
    torch.save(torch.arange(40) % 2, folder / "yfull.pt")
    return folder


FILES = {
    "arrays": lambda folder: write_arrays(folder / "data.npz"),
    "cifar10": write_cifar_folder,
    "amazon_polarity": write_amazon_folder,
    "event_texts": write_imdb_folder,
    "events": lambda folder: write_event_archive(folder, **event_arrays(names=("",))),
    "hcp_task": write_numbered,
    "hub": write_imdb_folder,
    "image_folder": write_pictures,
    "imdb": write_imdb_folder,
    "mnist_series": write_mnist_folder,
    "table": write_long_csv,
    "text_table": write_text_table,
    "timex": write_boiler,
}


SMALL = {"size": 40, "train": 40, "validation": 10, "test": 10, "source": "imdb", "most": 4, "dimensions": 3}
"""Settings that make a dataset small, where it has them."""


def make(name, folder):
    """Make a dataset that is small and needs no network."""
    known = {f.name: f for f in fields(DATASETS.load(name))}
    if name not in FILES and any(f.default is f.default_factory is MISSING for f in known.values()):
        pytest.skip(f"'{name}' needs a file, and tests/contracts/test_datasets.py has none")
    settings = {"path": str(FILES[name](folder))} if name in FILES else {}
    small = {key: count for key, count in SMALL.items() if key in known}
    return DATASETS.make(name, small | settings)


def parts(splits):
    return splits.train, splits.validation, splits.test


def same(a, b):
    return all(torch.equal(x.inputs, y.inputs) and x.id == y.id for x, y in zip(parts(a), parts(b), strict=True))


@pytest.mark.parametrize("name", DATASETS.names())
def test_a_seed_fixes_the_samples_and_another_changes_them(name, tmp_path):
    dataset = make(name, tmp_path)
    before = torch.get_rng_state()
    first = dataset.load(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, dataset.load(1))
    assert not same(first, dataset.load(2))


@pytest.mark.parametrize("name", DATASETS.names())
def test_samples_are_whole_and_belong_to_one_split(name, tmp_path):
    splits = make(name, tmp_path).load(0)
    names = [item for part in parts(splits) for item in part.id]
    assert len(set(names)) == len(names) == sum(map(len, parts(splits)))
    assert len(set(splits.classes)) == len(splits.classes) >= 2
    for part in parts(splits):
        (check_text if splits.vocabulary else check_floats)(part, splits)
        assert part.label.dtype == torch.int64
        assert set(part.label.tolist()) <= set(range(len(splits.classes)))
        if part.event is not None:
            assert part.event.dtype == torch.int64
            assert part.event.shape == part.inputs.shape[:2]
            assert part.mask is None or (part.event[~part.mask] == -1).all()
        if part.truth is not None:
            assert part.truth.dtype == torch.bool
            assert part.truth.shape == part.inputs.shape


def check_floats(part, splits):
    assert part.inputs.dtype == torch.float32
    assert part.inputs.ndim in (3, 4)
    assert torch.isfinite(part.inputs).all()
    assert part.text == ()


def check_text(part, splits):
    """Ids are those of the tokens of the text, in lower case, and the mask ends where they do."""
    number = {word: place for place, word in enumerate(splits.vocabulary)}
    assert splits.vocabulary[:2] == SPECIAL
    assert part.inputs.dtype == torch.int64
    assert len(part.text) == len(part)
    for ids, mask, text in zip(part.inputs, part.mask, part.text, strict=True):
        known = [number.get(token.lower(), UNKNOWN) for token in text.tokens]
        assert ids[: len(known)].tolist() == known
        assert mask.tolist() == [place < len(known) for place in range(len(ids))]
        assert (ids[len(known) :] == PAD).all()
        assert all(a < b <= c for (a, b), (c, _) in pairwise((*text.spans, (len(text.text), 0))))
