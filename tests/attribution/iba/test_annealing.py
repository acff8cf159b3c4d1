"""The annealed search against autograd, the mask that suffices, and samples that are difficult."""

import dataclasses
import pickle

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.attribution.iba import annealing
from perdure.attribution.iba.annealing import Annealing, anneal_mask, select_mask
from perdure.attribution.iba.noise import MarginalNoise, Noise, feature_quantiles, marginal_noise
from perdure.attribution.iba.retention import measure_retention
from perdure.attribution.iba.search import MaskSearch, optimise_mask
from perdure.attribution.input_iba import InputIBA
from perdure.core.batch import Batch
from perdure.core.errors import ConvergenceWarning, EmptyDataError, SettingError, ShapeError
from perdure.core.query import Query, slice_query
from perdure.core.random import sub_seeds
from perdure.core.target import LogOdds
from perdure.ops.sequence import length_mask
from tests.cases import convolutional, recurrent, stream
from tests.reference import bottleneck

LABEL = torch.tensor([0, 1, 1, 0])
SEARCH = Annealing(steps=8)


class ReadsStep(nn.Module):
    """Two classes, from the first feature of the fourth step."""

    def forward(self, x):
        return torch.stack([4 * x[:, 3, 0], -4 * x[:, 3, 0]], 1)


def make_query(kind, dtype=torch.float64):
    shape, make = ((4, 2, 6, 5), convolutional) if kind == "image" else ((4, 7, 4), recurrent)
    mask = length_mask(torch.tensor([7, 2, 5, 1]), 7) if kind == "padded" else None
    x = torch.randn(shape, generator=stream(1), dtype=dtype)
    return Query(make().to(dtype), x, LogOdds(LABEL), mask, sub_seeds(stream(2), 4))


def make_noise(query, kind="gaussian"):
    mean, std, active = (torch.tensor(value, dtype=query.x.dtype) for value in (0.3, 1.4, 1.0))
    if kind == "gaussian":
        return Noise(mean, std, active)
    values = torch.randn(50, query.x.shape[1 if query.x.ndim == 4 else 2], generator=stream(3)).sort(0).values
    return marginal_noise(values.to(query.x), query.x, "the input")


def series(count, seed=0):
    return torch.randn(count, 6, 3, generator=stream(seed))


def fit(model, samples=None, **settings):
    samples = series(60, 1) if samples is None else samples
    return InputIBA(**settings).fit(model, Batch(samples, torch.zeros(len(samples)).long()))


@pytest.mark.parametrize("kind", ["series", "padded", "image"])
@pytest.mark.parametrize("granularity", ["element", "position"])
@pytest.mark.parametrize("noise_kind", ["gaussian", "marginal"])
def test_the_search_is_that_of_autograd(kind, granularity, noise_kind, monkeypatch):
    monkeypatch.setattr(annealing, "COLLAPSED", 0.0)
    query = make_query(kind)
    noise, search = make_noise(query, noise_kind), dataclasses.replace(SEARCH, granularity=granularity)
    drop = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    path = anneal_mask(query, noise, search, drop, "test")
    for i in range(4):
        sample = slice_query(query, slice(i, i + 1))
        lengths = {} if sample.lengths is None else {"lengths": sample.lengths.expand(4)}

        def target(points, sample=sample, lengths=lengths):
            return torch.stack([sample.target(logits[None])[0] for logits in query.model(points, **lengths)])

        valid = torch.ones_like(query.x[i], dtype=torch.bool)
        if query.mask is not None:
            valid = query.mask[i][:, None].expand_as(valid)
        shared = {"image": 0}.get(kind, 1) if granularity == "position" else None
        mean, std = (value.expand_as(query.x[i]) for value in (noise.mean, noise.std))
        first = torch.full_like(query.x[i], 4.0).sigmoid()
        nats = bottleneck.capacity(first, (query.x[i] - mean) / std, torch.zeros_like(first))[valid].sum()
        positions = valid.sum() if shared is None else valid.any(shared).sum()
        begin, end = (3.0, 1.0) if kind == "image" else (0.02, 10.0)
        betas = [begin * drop[i] / nats * (positions * end / begin) ** (step / 8) for step in range(8)]
        drawn = torch.stack([noise.draw(sample, 4, f"test-{step}")[:, 0] for step in range(8)])
        settings = {"betas": betas, "rate": 25 / 8, "start": 4.0, "shared": shared, "valid": valid, "warm_up": 3}
        expected, logits = bottleneck.anneal(target, query.x[i], drawn, mean, std, **settings)
        torch.testing.assert_close(path.mean[i][valid], expected[valid], rtol=1e-5, atol=1e-8)
        torch.testing.assert_close(path.logits[:, i].double(), logits, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("kind", ["series", "padded", "image"])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
def test_many_samples_have_the_masks_of_each_alone(kind, smoothing):
    query, search = make_query(kind), dataclasses.replace(SEARCH, smoothing=smoothing, steps=20)
    noise = make_noise(query, "marginal")

    def run(query):
        retention = measure_retention(query, noise, "test")
        path = anneal_mask(query, noise, search, retention.drop, "test")
        return path.mean, select_mask(query, noise, search, path, retention, "test")

    mean, result = run(query)
    for i in range(4):
        alone_mean, alone = run(slice_query(query, slice(i, i + 1)))
        torch.testing.assert_close(mean[i], alone_mean[0], rtol=0, atol=1e-8)
        for field in ("keep", "nats", "kept", "converged", "beta"):
            torch.testing.assert_close(getattr(result, field)[i], getattr(alone, field)[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("noise", ["marginal", "gaussian"])
def test_the_mask_keeps_the_prediction_with_the_step_that_is_read(noise):
    x, label = series(8).abs() + 0.5, torch.zeros(8).long()
    result = attribute(ReadsStep(), x, fit(ReadsStep(), noise=noise), target=label)
    assert (result.values.sum(2).argmax(1) == 3).all()
    assert (result.aux["kept"] >= 0.9).all()
    assert result.aux["converged"].all()
    bits = result.aux["bits"].sum(2)
    assert (bits[:, 3] > 0.9 * bits.sum(1)).all()
    assert result.provenance.backward / 8 < 200


def test_a_sample_that_noise_predicts_has_no_bits():
    class Biased(ReadsStep):
        def forward(self, x):
            return super().forward(x) + torch.tensor([40.0, 0.0])

    result = attribute(Biased(), series(4), fit(Biased()), target=torch.zeros(4).long())
    assert (result.aux["bits"] == 0).all()
    assert (result.aux["mask"] == 0).all()
    assert result.aux["converged"].all()
    assert (result.values.sum(2).argmax(1) == 3).all()


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_function_keeps_its_change_from_noise_in_either_direction(sign, scale):
    def target(outputs):
        return sign * scale * outputs[:, 0]

    result = attribute(ReadsStep(), series(6).abs() + 1.0, fit(ReadsStep()), target=target)
    assert (result.values.sum(2).argmax(1) == 3).all()
    assert (result.aux["kept"] >= 0.9).all()
    assert result.aux["converged"].all()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_the_inputs_does_not_matter(scale):
    class Scaled(ReadsStep):
        def forward(self, x):
            return super().forward(x / scale)

    x, label = series(4).abs() + 0.5, torch.zeros(4).long()
    plain = attribute(ReadsStep(), x, fit(ReadsStep()), target=label)
    scaled = attribute(Scaled(), x * scale, fit(Scaled(), series(60, 1) * scale), target=label)
    torch.testing.assert_close(scaled.values, plain.values, rtol=0, atol=0.02)
    torch.testing.assert_close(scaled.aux["bits"].sum((1, 2)), plain.aux["bits"].sum((1, 2)), rtol=0.1, atol=0.1)


def test_a_search_that_diverges_keeps_the_last_good_mask():
    class Diverges(ReadsStep):
        def forward(self, x):
            return super().forward(x) + (x[:, :1, 0] - 1.9).sqrt() * 0

    x = series(3)
    x[:, 0, 0] = 3.0
    with pytest.warns(ConvergenceWarning, match="3 of 3 samples"):
        result = attribute(Diverges(), x, fit(Diverges(), noise="gaussian"), target=torch.zeros(3).long())
    assert not result.aux["converged"].any()
    assert torch.isfinite(result.values).all()
    assert torch.isfinite(result.aux["bits"]).all()


def test_a_sample_that_the_model_gets_wrong_or_is_unsure_of_is_explained_with_its_probability():
    x = torch.zeros(3, 6, 3)
    x[:, 3, 0] = torch.tensor([2.0, 0.0, -0.5])  # certain, unsure, and wrong
    result = attribute(ReadsStep(), x, fit(ReadsStep()), target=torch.zeros(3).long())
    torch.testing.assert_close(result.aux["at_input"], (8 * x[:, 3, 0]).sigmoid().double())
    assert result.aux["at_noise"].gt(0.2).all()
    assert (result.values.sum(2).argmax(1) == 3).all()
    assert torch.isfinite(result.values).all()


@pytest.mark.parametrize("constant", [0.0, 7.0])
def test_constant_inputs_have_no_bits(constant):
    x = torch.full((20, 6, 3), constant)
    result = attribute(ReadsStep(), x[:2], fit(ReadsStep(), x), target=torch.zeros(2).long())
    assert (result.aux["bits"] == 0).all()
    assert result.aux["converged"].all()
    assert torch.isfinite(result.values).all()


def test_a_constant_feature_does_not_disturb_the_others():
    samples = series(60, 1)
    samples[..., 1] = 3.0
    x = series(4).abs() + 0.5
    x[..., 1] = 3.0
    result = attribute(ReadsStep(), x, fit(ReadsStep(), samples), target=torch.zeros(4).long())
    assert (result.values.sum(2).argmax(1) == 3).all()
    assert result.aux["converged"].all()


def test_one_fit_sample_is_an_error():
    with pytest.raises(EmptyDataError, match="fit on at least two samples"):
        fit(ReadsStep(), series(1))


def test_a_sample_far_from_the_others_is_explained_or_named():
    x = series(2)
    x[:, 3, 0] = 1e6
    result = attribute(ReadsStep(), x, fit(ReadsStep()), target=torch.zeros(2).long())
    assert torch.isfinite(result.values).all()
    assert torch.isfinite(result.aux["bits"]).all()
    assert (result.values.sum(2).argmax(1) == 3).all()


def test_too_few_steps_are_reported():
    with pytest.warns(ConvergenceWarning, match=r"did not converge for \d of 4 samples.*Set more steps than 3"):
        result = attribute(
            ReadsStep(), series(4).abs(), fit(ReadsStep(), steps=3, learning_rate=0.1), target=torch.zeros(4).long()
        )
    assert not result.aux["converged"].all()


def test_a_fixed_penalty_is_the_fixed_search():
    x, label = series(4), torch.zeros(4).long()
    method = fit(ReadsStep(), beta=20.0)
    result = attribute(ReadsStep(), x, method, target=label)
    query = Query(ReadsStep(), x, LogOdds(label), None, sub_seeds(torch.Generator().manual_seed(0), 4))
    search = MaskSearch(20.0, 40, 0.3, 4, 1.0, 1.0, "position", True, 0.5)
    expected = optimise_mask(query, method.input_noise(x), search, "the input")
    assert torch.equal(result.values, expected.logit.sigmoid())
    assert type(method.input_noise(x)) is Noise
    assert set(result.aux) == {"mask", "bits"}


@pytest.mark.parametrize("kind", ["series", "image"])
def test_marginal_noise_has_values_of_the_same_feature(kind):
    query = make_query(kind, torch.float32)
    axis = 1 if kind == "image" else 2
    values = torch.arange(5.0)[:, None] + 10 * torch.arange(query.x.shape[axis])
    drawn = marginal_noise(values, query.x, "the input").draw(query, 40, "name").movedim(axis + 1, 0).flatten(1)
    for feature, draws in enumerate(drawn):
        assert draws.unique().tolist() == [10 * feature + value for value in range(5)]
        assert draws.mean().item() == pytest.approx(10 * feature + 2)  # mirrored pairs have the mean of the values
    with pytest.raises(ShapeError, match="same features"):
        marginal_noise(values[:, :1], query.x, "the input")


def test_longer_series_do_not_change_the_noise_of_the_first_steps():
    query = make_query("series", torch.float32)
    noise = make_noise(query, "marginal")
    longer = dataclasses.replace(query, x=torch.cat([query.x, query.x], 1))
    assert torch.equal(noise.draw(longer, 6, "name")[:, :, :7], noise.draw(query, 6, "name"))


def test_a_fitted_method_is_small_and_can_be_pickled():
    fitted = fit(ReadsStep(), torch.randn(3000, 6, 3, generator=stream(4)))
    assert fitted.values.shape == (1024, 3)
    x, label = series(2), torch.zeros(2).long()
    copy = pickle.loads(pickle.dumps(fitted))
    first, second = (attribute(ReadsStep(), x, method, target=label).values for method in (fitted, copy))
    assert torch.equal(first, second)
    assert isinstance(fitted.input_noise(x), MarginalNoise)


def test_quantiles_leave_out_padding_and_constant_features_have_a_scale():
    x = torch.tensor([[[1.0, 5.0], [3.0, 5.0], [99.0, 99.0]]])
    values = feature_quantiles(x, torch.tensor([True, True, False])[None, :, None].expand_as(x))
    assert values.tolist() == [[1.0, 5.0], [3.0, 5.0]]
    std = marginal_noise(values, x, "the input").std
    assert std.tolist() == pytest.approx([1.0, 0.01 * 0.5**0.5])
    assert marginal_noise(values[:, 1:], x[..., 1:], "the input").std.tolist() == [1.0]


@pytest.mark.parametrize(
    "wrong", [{"keep": 1.0}, {"steps": 0}, {"learning_rate": 0.0}, {"start": 9.0}, {"smoothing": -1.0}, {"noise": "x"}]
)
def test_a_setting_out_of_range_is_named(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        InputIBA(**wrong)
