from dataclasses import replace

import pytest
import torch

from perdure.attribution.gradient import Gradient
from perdure.attribution.information_bottleneck import InformationBottleneck
from perdure.attribution.random import Random
from perdure.attribution.smooth_grad import SmoothGrad
from perdure.core.batch import Batch
from perdure.core.errors import UnsupportedError
from perdure.engine.evaluate import EvaluateJob, evaluate_maps
from perdure.engine.explain import ExplainJob, explain
from perdure.engine.summaries import score_numbers, stored_scores
from perdure.metrics._nulls import compare_with_null
from perdure.metrics.insertion import Insertion
from perdure.metrics.parameter_randomisation import ParameterRandomisation
from perdure.metrics.vanishing import Vanishing
from perdure.records.scores import Case
from tests.cases import recurrent


@pytest.fixture
def batch(generator):
    x, lengths = torch.randn(10, 5, 4, generator=generator), torch.randint(2, 6, (10,), generator=generator)
    return Batch(x, torch.arange(10) % 3, mask=torch.arange(5) < lengths[:, None])


def evaluate_parts(batch, method, folder, metric):
    """Explain in three parts, and evaluate what was stored."""
    model = recurrent()
    explain(ExplainJob(model, batch, method, folder / "maps", "lstm", shard=4, seed=3))
    evaluate_maps(
        EvaluateJob(model, batch, folder / "maps", (metric,), folder / "scores", Case("test", "x", "lstm", "m", 3))
    )
    return next(iter(stored_scores(folder / "scores").values()))


@pytest.mark.parametrize("method", [Gradient(), SmoothGrad(samples=2, noise=0.3), Random()], ids=lambda m: repr(m)[:6])
def test_stored_maps_are_made_again_by_the_same_method_from_the_same_seeds(batch, method, tmp_path):
    score = evaluate_parts(batch, method, tmp_path, ParameterRandomisation(stages=1))
    assert score.aux["again"].tolist() == pytest.approx([1.0] * 10)
    assert score.null.tolist() == [1.0] * 10
    assert (score.values == 1).all() == isinstance(method, Random)


def test_a_fitted_method_cannot_be_made_again_and_is_not_missed_elsewhere(batch, tmp_path):
    fitted = InformationBottleneck(steps=1, copies=1).fit(recurrent(), replace(batch, mask=None))
    evaluate_parts(batch, fitted, tmp_path, Vanishing())
    with pytest.raises(UnsupportedError, match=r"'information_bottleneck' was fitted to data.*Remedy: fit it again"):
        evaluate_parts(batch, fitted, tmp_path / "other", ParameterRandomisation())


def test_methods_share_the_scores_of_uniform_random_maps_and_a_part_its_p_value(batch, tmp_path):
    model, calls, scores = recurrent(), [], []
    model.register_forward_hook(lambda *call: calls.append(len(call[2])))
    for method in (Gradient(), SmoothGrad(samples=2, noise=0.3)):
        folder = tmp_path / type(method).__name__
        explain(ExplainJob(model, batch, method, folder / "maps", "lstm", shard=4, seed=3))
        calls.clear()
        case = Case("test", "x", "lstm", "m", 3)
        places = folder / "maps", (Insertion(points=4),), folder / "scores"
        evaluate_maps(EvaluateJob(model, batch, *places, case, draws=1, shared=tmp_path / "uniform"))
        scores.append((next(iter(stored_scores(folder / "scores").values())), sum(calls)))
    (first, passes), (second, fewer) = scores
    assert first.aux["uniform"].tolist() == second.aux["uniform"].tolist()
    assert not torch.equal(first.null, second.null)
    assert fewer < 0.8 * passes
    assert first.nulls.shape == (1, 10)
    sign_flips = compare_with_null(replace(first, p=None), Insertion())
    assert first.p == sign_flips
    assert score_numbers({"insertion": first}, 0)["insertion"].p == first.p
