"""The search for a mask against the slow reference, and its independence of everything around a sample."""

import dataclasses

import pytest
import torch

from perdure.attribution.iba.noise import Noise, draw_noise
from perdure.attribution.iba.search import MaskSearch, optimise_mask
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.query import Query, slice_query
from perdure.core.random import sub_seeds
from perdure.core.target import LogProbability
from perdure.ops.information import mask_from_logits
from perdure.ops.sequence import length_mask
from tests.cases import Constant, convolutional, recurrent, stream
from tests.reference.bottleneck import search as slow_search

LABEL = torch.tensor([0, 1, 1, 0])
SEARCH = MaskSearch(beta=3.0, steps=6, learning_rate=0.5, copies=4, start=1.0)


def arguments(kind, dtype=torch.float64):
    """A question about series, padded series or images."""
    shape, make = ((4, 2, 6, 5), convolutional) if kind == "image" else ((4, 7, 4), recurrent)
    mask = length_mask(torch.tensor([7, 2, 5, 1]), 7) if kind == "padded" else None
    x = torch.randn(shape, generator=stream(1), dtype=dtype)
    return Query(make().to(dtype), x, LogProbability(LABEL), mask, sub_seeds(stream(2), 4))


def natural(query):
    return Noise(*(torch.tensor(value, dtype=query.x.dtype) for value in (0.3, 1.4, 1.0)))


@pytest.mark.parametrize("kind", ["series", "padded", "image"])
@pytest.mark.parametrize("granularity", ["element", "position"])
@pytest.mark.parametrize("with_prior", [False, True])
def test_it_is_the_slow_reference(kind, granularity, with_prior):
    query = arguments(kind)
    search = dataclasses.replace(SEARCH, granularity=granularity)
    prior = (
        mask_from_logits(torch.randn(query.x.shape, generator=stream(3), dtype=torch.float64)) if with_prior else None
    )
    result = optimise_mask(query, natural(query), search, "test", prior)
    noise = torch.stack([draw_noise(query, 4, f"test-{step}", True) for step in range(6)])
    for i in range(4):
        item = slice_query(query, slice(i, i + 1))
        lengths = {} if item.lengths is None else {"lengths": item.lengths.expand(4)}

        def target(points, item=item, lengths=lengths):
            return torch.stack([item.target(logits[None])[0] for logits in query.model(points, **lengths)])

        valid = torch.ones_like(query.x[i], dtype=torch.bool)
        if query.mask is not None:
            valid = query.mask[i][:, None].expand_as(valid)
        shared = {"image": 0}.get(kind, 1) if granularity == "position" else None
        m = torch.zeros_like(query.x[i]) if prior is None else prior.keep[i]
        settings = {"beta": 3.0, "rate": 0.5, "start": 1.0, "shared": shared, "valid": valid}
        logit, nats = slow_search(target, query.x[i], noise[:, :, i], 0.3, 1.4, m, **settings)
        torch.testing.assert_close(result.logit[i], logit.expand_as(query.x[i]), rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(result.nats[i], nats, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("kind", ["series", "padded", "image"])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_many_samples_are_one_by_one(kind, smoothing):
    query = arguments(kind, torch.float32)
    search = dataclasses.replace(SEARCH, smoothing=smoothing)
    whole = optimise_mask(query, natural(query), search, "test")
    for i in range(4):
        alone = optimise_mask(slice_query(query, slice(i, i + 1)), natural(query), search, "test")
        torch.testing.assert_close(whole.mask.keep[i], alone.mask.keep[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(whole.nats[i], alone.nats[0], rtol=1e-5, atol=1e-5)


def test_smoothing_goes_back_through_its_adjoint():
    """With next to nothing to gain, the search lowers the information that a smoothed mask lets pass."""
    query = arguments("image")
    quiet = dataclasses.replace(query, target=lambda logits: 1e-6 * logits[:, 0])
    search = dataclasses.replace(SEARCH, smoothing=1.0, beta=50.0, steps=30)
    result = optimise_mask(quiet, natural(query), search, "test")
    assert (
        result.nats.sum()
        < optimise_mask(quiet, natural(query), dataclasses.replace(search, steps=1), "test").nats.sum()
    )


def test_what_the_model_reads_stays_and_the_rest_goes():
    class ReadsStep(torch.nn.Module):
        def forward(self, x):
            return torch.stack([4 * x[:, 3, 0], -4 * x[:, 3, 0]], 1)

    x = torch.ones(2, 6, 2)
    query = Query(ReadsStep(), x, LogProbability(torch.tensor([0, 0])), None, sub_seeds(stream(), 2))
    item = torch.tensor(1.0)
    search = MaskSearch(beta=1.0, steps=60, learning_rate=0.3, start=0.0)
    keep = optimise_mask(query, Noise(item - 1, item, item), search, "test").mask.keep
    rest = torch.ones(6, 2, dtype=torch.bool)
    rest[3, 0] = False
    assert (keep[:, 3, 0] > 0.5).all()
    assert (keep[:, rest] < 0.05).all()


def test_pairs_of_noise_cancel_and_belong_to_the_sample():
    query = arguments("series")
    noise = draw_noise(query, 6, "name", paired=True)
    assert torch.equal(noise[0::2], -noise[1::2])
    longer = dataclasses.replace(query, x=torch.cat([query.x, query.x], 1))
    assert torch.equal(draw_noise(longer, 6, "name", paired=True)[:, :, :7], noise)
    assert not torch.equal(draw_noise(query, 6, "other", paired=True), noise)


@pytest.mark.parametrize("detached", [False, True])
def test_an_input_without_influence_is_named(detached):
    query = dataclasses.replace(arguments("series"), model=Constant(detached))
    with pytest.raises(UnsupportedError, match="layer 'x' does not influence"):
        optimise_mask(query, natural(query), SEARCH, "layer 'x'")


@pytest.mark.parametrize(
    "wrong", [{"beta": 0.0}, {"steps": 0}, {"learning_rate": -1.0}, {"smoothing": -1.0}, {"granularity": "pixel"}]
)
def test_a_setting_that_cannot_be_used_is_named(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        dataclasses.replace(SEARCH, **wrong)
