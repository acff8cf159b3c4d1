import pickle

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.core.batch import Batch
from perdure.training.batches import draw_batches, shuffle_batches


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(count, generator):
    return Batch(torch.randn(count, 2, generator=generator), torch.zeros(count, dtype=torch.int64))


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 30), size=st.integers(1, 12))
def test_an_epoch_has_every_sample_once(count, size):
    mask = torch.arange(4) < torch.arange(count)[:, None] % 4 + 1
    batch = Batch(torch.arange(count)[:, None, None].expand(-1, 4, 1).float(), torch.arange(count), mask)
    source = shuffle_batches(batch, size)
    parts = list(source.epoch(generator()))
    assert len(parts) == source.steps
    assert max(map(len, parts)) <= size
    label = torch.cat([part.label for part in parts])
    assert sorted(label.tolist()) == list(range(count))
    assert torch.equal(torch.cat([part.inputs for part in parts])[:, 0, 0], label.float())
    assert torch.equal(torch.cat([part.mask for part in parts]), mask[label])


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 30), size=st.integers(1, 12), least=st.integers(1, 9))
def test_an_epoch_goes_through_few_samples_as_often_as_its_steps_need(count, size, least):
    source = shuffle_batches(Batch(torch.zeros(count, 1), torch.arange(count)), size, least)
    parts = list(source.epoch(generator()))
    once = shuffle_batches(source.whole, size).steps
    assert len(parts) == source.steps >= least
    assert source.steps - once < least or source.steps == once
    drawn = torch.cat([part.label for part in parts]).bincount()
    assert drawn.tolist() == [source.steps // once] * count


def test_each_epoch_has_its_own_order():
    source, stream = shuffle_batches(Batch(torch.zeros(20, 1), torch.arange(20)), 20), generator()
    first, second = (next(source.epoch(stream)).label.tolist() for _ in range(2))
    assert first != second
    assert first == next(source.epoch(generator())).label.tolist()


def test_fresh_samples_never_return():
    source, stream = draw_batches(draw, 3, 2), generator()
    parts = [part.inputs for _ in range(2) for part in source.epoch(stream)]
    assert [len(part) for part in parts] == [3] * 4
    assert len(torch.cat(parts).unique(dim=0)) == 12
    assert source.whole is None


def test_sources_can_be_sent_to_other_processes():
    for source in (draw_batches(draw, 3, 2), shuffle_batches(draw(5, generator()), 2)):
        sent = pickle.loads(pickle.dumps(source))
        assert torch.equal(next(sent.epoch(generator())).inputs, next(source.epoch(generator())).inputs)
