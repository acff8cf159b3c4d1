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
from perdure.engine.summaries import stored_scores
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
