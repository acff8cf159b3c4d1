from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.batch import Batch
from perdure.core.errors import EmptyDataError, SettingError, VocabularyError
from perdure.data._splits import Splits, split, standardise, stratify
from tests.reference.boxes_loop import standardise_column


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def series(samples, seed=0):
    """A batch whose mask, truth and label all identify their row."""
    row = torch.arange(samples)
    inputs = torch.randn(samples, 4, 3, generator=stream(seed)) + row[:, None, None]
    mask = torch.arange(4) < (row % 4 + 1)[:, None]
    return Batch(inputs, row % 2, mask, truth=inputs > row[:, None, None])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=80), st.integers(0, 2**32))
def test_stratify_deals_every_sample_once_into_parts_of_exact_size(label, seed):
    parts = stratify(torch.tensor(label), (0.5, 0.3, 0.2), stream(seed))
    assert sorted(torch.cat(parts).tolist()) == list(range(len(label)))
    ends = [0, round(0.5 * len(label)), round(0.8 * len(label)), len(label)]
    assert [len(part) for part in parts] == [b - a for a, b in pairwise(ends)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 2**32))
def test_every_class_is_in_proportion(sizes, seed):
    label = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    for fraction, part in zip((0.6, 0.2, 0.2), stratify(label, (0.6, 0.2, 0.2), stream(seed)), strict=True):
        off = label[part].bincount(minlength=len(sizes)) - fraction * torch.tensor(sizes)
        # both ends of a part lie within one sample per class of their place among all samples
        assert (off.abs() <= 2 * (1 + (len(sizes) + 1) * torch.tensor(sizes) / len(label))).all()


def test_classes_that_divide_evenly_are_split_exactly():
    label = torch.tensor([0] * 20 + [1] * 10 + [2] * 5)
    for seed in range(20):
        parts = stratify(label, (0.6, 0.2, 0.2), stream(seed))
        assert [label[part].bincount().tolist() for part in parts] == [[12, 6, 3], [4, 2, 1], [4, 2, 1]]


def test_single_samples_of_a_class_reach_every_part():
    label = torch.tensor([0] * 9 + [1])
    matches = {
        i for seed in range(60) for i, part in enumerate(stratify(label, (0.6, 0.2, 0.2), stream(seed))) if 9 in part
    }
    assert matches == {0, 1, 2}


def test_split_keeps_what_belongs_to_a_sample():
    batch = series(20)
    splits = split(batch, ("a", "b"), 3)
    assert splits.classes == ("a", "b")
    for part in (splits.train, splits.validation, splits.test):
        rows = [int(name) for name in part.id]
        assert rows == sorted(rows)
        for got, wanted in ((part.inputs, batch.inputs), (part.mask, batch.mask), (part.truth, batch.truth)):
            assert torch.equal(got, wanted[rows])


@pytest.mark.parametrize("fractions", [(0.5, 0.2, 0.2), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1)])
def test_fractions_that_are_none(fractions):
    with pytest.raises(SettingError, match="sum 1"):
        split(series(20), ("a", "b"), 0, fractions)


def test_too_few_samples():
    with pytest.raises(EmptyDataError, match="2 samples split into parts of 1, 1, 0"):
        split(series(2), ("a", "b"), 0)


def test_standardise_equals_the_loop_over_columns_and_valid_steps():
    splits = split(series(20), ("a", "b"), 0)
    result = standardise(splits)
    for step in range(4):
        known = splits.train.inputs[splits.train.mask[:, step], step]
        for before, after in ((splits.train, result.train), (splits.test, result.test)):
            valid = before.mask[:, step]
            for i in range(3):
                wanted = standardise_column(before.inputs[valid, step, i].tolist(), known[:, i].tolist())
                torch.testing.assert_close(after.inputs[valid, step, i], torch.tensor(wanted), rtol=1e-4, atol=1e-5)
            assert not after.inputs[~valid, step].any()
            assert after.id == before.id
            assert torch.equal(after.truth, before.truth)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_column_is_only_shifted(dtype):
    train = Batch(torch.full((7, 1, 1), 0.1, dtype=dtype), torch.zeros(7).long())
    test = Batch(torch.full((1, 1, 1), 2.1, dtype=dtype), torch.tensor([1]))
    result = standardise(Splits(train, train, test, ("a", "b")))
    torch.testing.assert_close(result.train.inputs, torch.zeros(7, 1, 1, dtype=dtype), rtol=0, atol=1e-7)
    torch.testing.assert_close(result.test.inputs, torch.full((1, 1, 1), 2.0, dtype=dtype))


@pytest.mark.parametrize(("shape", "features"), [((4, 7), 7), ((4, 7, 3), 3), ((4, 2, 6, 5), 2)])
def test_features_are_what_a_model_reads_at_each_position(shape, features):
    batch = Batch(torch.zeros(shape), torch.zeros(4, dtype=torch.int64))
    assert Splits(batch, batch, batch, ("a", "b")).features == features


def test_a_model_of_token_ids_reads_the_words_of_the_vocabulary():
    batch = Batch(torch.zeros(4, 7, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
    splits = Splits(batch, batch, batch, ("a", "b"), ("<unk>", "<pad>", "good"))
    assert splits.features == 3
    with pytest.raises(VocabularyError, match="the splits have no vocabulary"):
        _ = replace(splits, vocabulary=()).features
