"""The generator's gradients against autograd, and its two stages of learning."""

import pytest
import torch
from torch import nn

from perdure.attribution.iba import adversarial
from perdure.attribution.iba.critic import make_critic, make_image_critic
from perdure.attribution.iba.generator import make_generator
from perdure.attribution.iba.matching import Features, match_moments
from perdure.attribution.iba.moments import fit_input_moments, fit_layer_moments, require_fitted
from perdure.attribution.iba.noise import Noise
from perdure.core.batch import Batch
from perdure.core.errors import EmptyDataError, ShapeError, UnknownNameError, UnsupportedError
from perdure.core.query import Query, slice_query
from perdure.core.random import sub_seeds
from perdure.core.target import LogProbability
from perdure.ops.sequence import length_mask
from tests.cases import convolutional, recurrent, stream


def draw(*shape, seed=1):
    return torch.randn(shape, generator=stream(seed), dtype=torch.float64)


def natural():
    return Noise(*(torch.tensor(value, dtype=torch.float64) for value in (0.3, 1.4, 1.0)))


@pytest.mark.parametrize("shape", [(3, 7, 4), (3, 2, 6, 5)])
def test_the_pulled_back_gradient_is_that_of_autograd(shape):
    x, z, weight = draw(*shape), draw(5, *shape, seed=2), draw(5, *shape, seed=3)
    made = make_generator(x, draw(*shape, seed=4), natural())
    leaves = [rows.requires_grad_() for rows in made.parameters]
    slow = torch.autograd.grad((made.points(x, z) * weight).sum(), leaves)
    with torch.no_grad():
        result = made.pull_back(x, z, weight)
    for ours, theirs in zip(result, slow, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_full_mask_generates_the_input_and_an_empty_one_noise():
    x, z = draw(2, 3, 4), draw(1, 2, 3, 4, seed=2)
    torch.testing.assert_close(make_generator(x, x * 0 + 50, natural()).points(x, z)[0], x)
    torch.testing.assert_close(make_generator(x, x * 0 - 50, natural()).points(x, z)[0], 0.3 + 1.4 * z[0])


def question(kind="series"):
    mask = length_mask(torch.tensor([7, 3, 5]), 7) if kind == "padded" else None
    make, x = (convolutional, draw(3, 2, 6, 5)) if kind == "image" else (recurrent, draw(3, 7, 4))
    label = LogProbability(torch.tensor([0, 1, 2]))
    return Query(make().double(), x, label, mask, sub_seeds(stream(2), 3))


def test_matching_brings_the_features_nearer():
    """Features of the input itself, without noise: the mask that was shut must open."""
    query = question()
    inside = fit_layer_moments(query.model, "recurrence", Batch(draw(20, 7, 4, seed=5), torch.zeros(20).long()))
    with torch.no_grad():
        z = query.model.recurrence(query.x)[0]
    wanted = Features(z, torch.zeros_like(z), inside.noise(z).std)
    shut = make_generator(query.x, torch.full_like(query.x, -1.0), natural())
    assert (match_moments(query, "recurrence", wanted, shut).keep.flatten(1).mean(1) > 0.27).all()


@pytest.mark.parametrize("kind", ["padded", "image"])
def test_a_duel_belongs_to_its_sample(kind, monkeypatch):
    monkeypatch.setattr(adversarial, "EPOCHS", 1)
    query, layer, z = question("padded"), "recurrence", draw(3, 7, 6, seed=7)
    if kind == "image":
        model = nn.Sequential(nn.Conv2d(2, 3, 1).double(), nn.Flatten())
        query, layer, z = Query(model, draw(3, 2, 8, 8), query.target, None, query.seeds), "0", draw(3, 3, 8, 8, seed=7)

    def keep(index):
        made = make_generator(query.x[index], torch.zeros_like(query.x[index]), natural())
        return adversarial.train_adversarial(
            slice_query(query, index), layer, z[index], torch.full_like(z[index], 0.5), made
        ).keep

    whole = keep(slice(0, 3))
    assert (whole != 0.5).any()
    torch.testing.assert_close(keep(slice(1, 2)), whole[1:2])
    if query.mask is not None:
        assert (whole[~query.mask] == 0.5).all()


def test_the_published_critic_has_its_sizes():
    with torch.device("meta"):
        critic = make_image_critic(512, 28, 28)
    assert sum(weight.numel() for weight in critic.parameters()) == pytest.approx(64.4e6, rel=0.01)
    with pytest.raises(UnsupportedError, match="4 rows and columns"):
        make_critic(torch.zeros(3, 2, 2), stream())


def test_what_cannot_be_seen_is_named():
    batch = Batch(draw(4, 7, 4), torch.zeros(4).long())
    with pytest.raises(EmptyDataError, match="at least two samples"):
        fit_input_moments(Batch(batch.inputs[:1], batch.label[:1]))
    with pytest.raises(UnknownNameError, match="recurrence"):
        fit_layer_moments(recurrent().double(), "recurrens", batch)
    inside = fit_layer_moments(convolutional().double(), "0", Batch(draw(100, 2, 6, 5), torch.zeros(100).long()))
    with pytest.raises(ShapeError, match="same size"):
        inside.noise(draw(2, 3, 9, 9))
    with pytest.raises(UnsupportedError, match=r"fit it first: method = perdure\.METHODS\.make"):
        require_fitted(None, "input_iba")
