import copy
import dataclasses

import pytest
import torch
from torch import nn

from perdure.attribution.gradient import Gradient
from perdure.attribution.input_x_gradient import InputXGradient
from perdure.attribution.smooth_grad import SmoothGrad
from perdure.core.attribution import Attribution
from perdure.core.errors import NonFiniteError, SettingError, ShapeError, UnsupportedError
from perdure.core.query import Query
from perdure.core.random import stream as named_stream
from perdure.core.registry import METRICS
from perdure.core.target import Logit
from perdure.metrics._evaluate import evaluate
from perdure.metrics.parameter_randomisation import ParameterRandomisation
from tests.cases import convolutional, recurrent, stream
from tests.metrics.attributions import trial_of
from tests.reference import place_loop


class Input:
    """A map that shows the input, whatever the model: an edge detector, in short."""

    def scores(self, query):
        return query.x


class Picture:
    """A map of the parameters of the first layer, whatever the input."""

    def scores(self, query):
        return dict(query.model.named_parameters())["0.weight"].detach()[0].expand_as(query.x).clone()


def attribution(method, model=None, x=None, mask=None, seeds=None):
    model = nn.Sequential(nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 3)) if model is None else model
    x = torch.randn(4, 40, generator=stream(5)) if x is None else x
    seeds = torch.zeros(0, dtype=torch.int64) if seeds is None else seeds
    query = Query(model.eval(), x, Logit(torch.arange(len(x)) % 3), mask, seeds)
    return Attribution(method.scores(query).detach(), source=query, method=method)


@pytest.mark.parametrize("similarity", ["spearman", "absolute_spearman"])
def test_a_map_of_the_input_fails_and_one_of_the_weights_passes(similarity):
    metric = ParameterRandomisation(similarity, granularity="element")
    assert metric.measure(attribution(Input())).values.tolist() == [1.0] * 4
    curve = metric.measure(attribution(Picture())).curve
    assert curve[:, 0].tolist() == [1.0] * 4  # the last layer alone is random
    assert curve[:, 1].abs().max().item() < 4 / 40**0.5  # 4 standard deviations of independent ranks


def test_an_inverted_map_differs_from_the_same_only_with_its_sign():
    entry = attribution(Input())
    inverted = dataclasses.replace(entry, values=-entry.values)
    assert ParameterRandomisation("spearman").measure(inverted).values.tolist() == [-1.0] * 4
    assert ParameterRandomisation("absolute_spearman").measure(inverted).values.tolist() == [1.0] * 4


def test_random_maps_have_no_method_and_score_one():
    entry = attribution(Gradient())
    score = evaluate(entry, "parameter_randomisation:stages=1,redraws=1")
    assert score.null.tolist() == [1.0] * 4
    assert score.ceiling.tolist() == [0.0] * 4
    with pytest.raises(UnsupportedError, match=r"'parameter_randomisation' computes further maps"):
        evaluate(dataclasses.replace(entry, method=None), "parameter_randomisation")


@pytest.mark.parametrize(("values", "known"), [(0.0, 1.0), (3.0, 1.0)])
def test_constant_maps_are_like_constant_maps_and_nothing_else(values, known):
    class Flat:
        def scores(self, query):
            return torch.full_like(query.x, values)

    assert ParameterRandomisation().measure(attribution(Flat())).values.tolist() == [known] * 4
    other = dataclasses.replace(attribution(Input()), method=Flat())
    assert ParameterRandomisation().measure(other).values.tolist() == [0.0] * 4


def redrawn(old, generator):
    noise = torch.randn(old.shape, generator=generator, dtype=torch.float64)
    wide = old.detach().double()
    return noise * wide.square().mean().sqrt() if old.ndim == 2 else wide.mean() + noise * wide.std(correction=0)


def test_each_stage_equals_the_loop_on_the_same_random_models():
    """Redrawn by hand with the streams that belong to the names of the parameters."""
    model = nn.Sequential(nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 3)).eval()
    entry = attribution(InputXGradient(), model, torch.randn(3, 12, generator=stream(2)))
    measured = ParameterRandomisation(seed=4, redraws=1).measure(entry)
    random, curve = copy.deepcopy(model), []
    for layer in (2, 0):
        for name, parameter in random[layer].named_parameters():
            parameter.data.copy_(redrawn(parameter, named_stream(4, "sanity_check", f"{layer}.{name}")))
        maps = InputXGradient().scores(dataclasses.replace(entry.query, model=random))
        pairs = zip(maps.abs().tolist(), entry.values.abs().tolist(), strict=True)
        curve.append([place_loop.spearman(a, b) for a, b in pairs])
    torch.testing.assert_close(measured.curve, torch.tensor(curve).T)
    torch.testing.assert_close(measured.values, torch.tensor(curve).mean(0))


class AbsoluteInput:
    """Input x gradient in the extreme: the input is in the maps of all models, which change half of the elements."""

    def scores(self, query):
        weight = dict(query.model.named_parameters())["0.weight"].detach()[0].sign()
        return query.x.abs() * torch.where(torch.arange(40) < 20, 1.0, 0.0) + weight * (torch.arange(40) >= 20)


def test_the_best_value_is_the_similarity_of_redrawn_models_to_each_other():
    entry = attribution(AbsoluteInput())
    first, second = copy.deepcopy(entry.query.model), copy.deepcopy(entry.query.model)
    for model, number in ((first, []), (second, [1])):
        for name, parameter in model.named_parameters():
            parameter.data.copy_(redrawn(parameter, named_stream(0, "sanity_check", name, *number)))
    maps = [AbsoluteInput().scores(dataclasses.replace(entry.query, model=model)) for model in (first, second)]
    known = [place_loop.spearman(a, b) for a, b in zip(maps[0].tolist(), maps[1].tolist(), strict=True)]
    score = evaluate(entry, "parameter_randomisation:stages=1,similarity=spearman,granularity=element")
    assert score.ceiling.tolist() == pytest.approx(known, abs=1e-6)
    assert min(known) > 0.1
    to_redrawn = [
        [place_loop.spearman(a, b) for a, b in zip(entry.values.tolist(), item.tolist(), strict=True)] for item in maps
    ]
    assert score.values.tolist() == pytest.approx(torch.tensor(to_redrawn).mean(0).tolist(), abs=1e-6)


def test_redrawn_models_share_all_of_a_map_of_the_input():
    score = evaluate(attribution(Input()), "parameter_randomisation:stages=1")
    assert score.values.tolist() == score.ceiling.tolist() == score.null.tolist() == [1.0] * 4


@pytest.mark.parametrize("attention", ["none", "mean"])
def test_a_recurrence_is_left_as_it_was(attention):
    model, lengths = recurrent(input_attention=attention), torch.tensor([7, 4, 5, 2])
    before = copy.deepcopy(model.state_dict())
    mask = torch.arange(7) < lengths[:, None]
    x = torch.randn(4, 7, 4, generator=stream(3))
    measured = ParameterRandomisation().measure(attribution(Gradient(), model, x, mask))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert measured.curve.shape[0] == 4
    assert measured.values.isfinite().all()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_seeds_of_the_query_are_used_again():
    seeded = attribution(SmoothGrad(samples=3), seeds=torch.arange(4) + 10)
    assert ParameterRandomisation().measure(seeded).aux["again"].tolist() == [1.0] * 4
    other = dataclasses.replace(seeded, source=dataclasses.replace(seeded.query, seeds=torch.arange(4) + 90))
    assert (ParameterRandomisation().measure(other).aux["again"] < 1).all()


def test_a_query_without_seeds_does_not_depend_on_the_batch():
    entry = attribution(Gradient())
    entry = dataclasses.replace(entry, method=SmoothGrad(samples=3))
    alone = dataclasses.replace(
        entry,
        source=dataclasses.replace(entry.query, x=entry.query.x[2:3], target=Logit(torch.tensor([2]))),
        values=entry.values[2:3],
    )
    metric = ParameterRandomisation()
    torch.testing.assert_close(metric.measure(alone).curve, metric.measure(entry).curve[2:3])


def test_images_by_structural_similarity():
    x = torch.randn(2, 2, 6, 5, generator=stream(1))
    entry = attribution(Gradient(), convolutional(), x)
    sums = entry.values.sum(1).abs().double()
    images = [((entry - entry.min()) / (entry.max() - entry.min())).numpy() for entry in sums]
    measured = ParameterRandomisation("ssim").measure(entry)
    assert measured.curve.shape == (2, 3)
    assert measured.aux["again"].tolist() == pytest.approx([1.0, 1.0])
    swapped = dataclasses.replace(entry, values=entry.values.flip(0))
    crossed = ParameterRandomisation("ssim").measure(swapped).aux["again"]
    assert crossed.tolist() == pytest.approx([place_loop.ssim(images[0], images[1])] * 2, abs=1e-6)
    by_element = ParameterRandomisation("ssim", granularity="element").measure(entry)
    assert by_element.aux["again"].tolist() == pytest.approx([1.0, 1.0])


def test_published_redraw_leaves_normalisation_alone():
    x = torch.randn(2, 2, 6, 5, generator=stream(1))
    measured = ParameterRandomisation(redraw="published").measure(attribution(Gradient(), convolutional(), x))
    assert measured.curve.shape == (2, 2)


def test_stages_are_put_together():
    entry = attribution(Gradient())
    whole, short = ParameterRandomisation().measure(entry), ParameterRandomisation(stages=1).measure(entry)
    assert torch.equal(short.curve[:, -1], whole.curve[:, -1])
    assert short.curve.shape == (4, 1)


class Explodes:
    """Finite for the model as it was trained only."""

    def __init__(self, model):
        self.model = model

    def scores(self, query):
        return query.x / (query.model is self.model)


def test_what_cannot_be_checked_is_named():
    with pytest.raises(ShapeError, match=r"compares images.*\(4, 40\)"):
        ParameterRandomisation("ssim").measure(attribution(Gradient()))
    with pytest.raises(UnsupportedError, match="the model is a function"):
        ParameterRandomisation().measure(dataclasses.replace(trial_of(torch.rand(2, 3, 2)), method=Input()))
    model = nn.Linear(40, 3)
    with pytest.raises(NonFiniteError, match="the map after stage 1 of the sanity check holds"):
        ParameterRandomisation().measure(attribution(Explodes(model), model))
    for settings in ("similarity=pearson", "granularity=pixel", "redraw=all", "stages=0", "redraws=0"):
        with pytest.raises(SettingError):
            METRICS.make(f"parameter_randomisation:{settings}")
