import dataclasses

import pytest
import torch

from perdure.attribution.gradient import Gradient
from perdure.core.errors import (
    DataError,
    LabelError,
    LengthError,
    NonFiniteError,
    PerdureError,
    SettingError,
    ShapeError,
    UnknownNameError,
    UnsupportedError,
)
from perdure.core.method import MethodOutput
from perdure.metrics._evaluate import evaluate
from perdure.metrics.auroc import AUROC
from tests.metrics.attributions import box, known_maps, series, trial_of

VALUES, TRUTH, MASK = series(0)


def test_a_random_map_never_outscores_others_unnoticed():
    truth = box(4)
    score = evaluate(trial_of(known_maps(truth)["random"], truth), "weighted_jaccard")
    assert score.metric == "weighted_jaccard"
    assert score.values.tolist() == pytest.approx([0.194] * 4, abs=0.01)
    assert score.null.tolist() == pytest.approx([0.194] * 4, abs=0.01)
    assert score.ceiling.tolist() == [1.0] * 4


def test_names_settings_and_objects_mean_the_same():
    attribution = trial_of(VALUES, TRUTH, MASK)
    by_name, by_object = evaluate(attribution, "auroc:absolute=false"), evaluate(attribution, AUROC(absolute=False))
    assert torch.equal(by_name.values, by_object.values)
    assert torch.equal(by_name.null, by_object.null)


def test_the_null_belongs_to_its_sample_and_stream():
    item = evaluate(trial_of(VALUES[:2], TRUTH[:2], MASK[:2]), "auroc", generator=torch.Generator().manual_seed(3))
    whole = evaluate(trial_of(VALUES, TRUTH, MASK), "auroc", generator=torch.Generator().manual_seed(3))
    other = evaluate(trial_of(VALUES, TRUTH, MASK), "auroc", generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(item.null, whole.null[:2])
    assert not torch.equal(whole.null, other.null)


def test_without_need_of_truth_the_best_value_is_the_ceiling():
    assert evaluate(trial_of(VALUES, TRUTH), "vanishing").ceiling.tolist() == [0.0] * 4


def test_padding_may_be_true_or_not():
    attribution = trial_of(VALUES, TRUTH, MASK)
    other = dataclasses.replace(attribution, truth=TRUTH | ~MASK[..., None])
    assert torch.equal(evaluate(attribution, "jaccard").values, evaluate(other, "jaccard").values)


def with_nan():
    values = VALUES.clone()
    values[2, 1, 0] = torch.nan
    return values


ONE_EMPTY = TRUTH & (torch.arange(4) != 2)[:, None, None]
ONE_FULL = TRUTH | (torch.arange(4) == 3)[:, None, None]


@pytest.mark.parametrize(
    ("attribution", "metric", "error", "message"),
    [
        (trial_of(VALUES[:, 1:], TRUTH, x=VALUES), "auroc", ShapeError, r"map has shape \(4, 8, 3\).*Remedy"),
        (trial_of(with_nan(), TRUTH), "auroc", NonFiniteError, r"the map holds 1 values.*\(2, 1, 0\)"),
        (trial_of(VALUES), "auroc", UnsupportedError, "'auroc' compares with the truth.*'vanishing'"),
        (trial_of(VALUES, TRUTH.float()), "auroc", ShapeError, "truth has .*float32"),
        (trial_of(VALUES, TRUTH[:, 1:]), "vanishing", ShapeError, r"truth has shape \(4, 8, 3\)"),
        (trial_of(VALUES, ONE_EMPTY), "jaccard", DataError, "0 of the 27 valid sites of sample 2"),
        (trial_of(VALUES, ONE_FULL), "auroc", DataError, "27 of the 27 valid sites of sample 3"),
        (trial_of(VALUES, TRUTH), "rock", UnknownNameError, "did you mean 'auroc'"),
        (trial_of(VALUES, TRUTH), "auroc:absolut=true", SettingError, "did you mean 'absolute'"),
    ],
)
def test_what_cannot_be_scored_is_named(attribution, metric, error, message):
    with pytest.raises(error, match=message):
        evaluate(attribution, metric)


def test_a_null_without_draws_is_refused():
    with pytest.raises(SettingError, match="draws=0"):
        evaluate(trial_of(VALUES, TRUTH), "auroc", draws=0)


TRIAL = trial_of(VALUES, TRUTH, MASK)


def with_query(**changes):
    return dataclasses.replace(TRIAL, source=dataclasses.replace(TRIAL.query, **changes))


@pytest.mark.parametrize(
    ("attribution", "error", "message"),
    [
        (MethodOutput(VALUES, {}), SettingError, r"MethodOutput is not an attribution.*perdure.attribute"),
        (
            dataclasses.replace(TRIAL, values=MethodOutput(VALUES, {})),
            ShapeError,
            r"the map is MethodOutput.*\.values",
        ),
        (dataclasses.replace(TRIAL, method="gradient"), SettingError, r"perdure.METHODS.make\('gradient'\)"),
        (with_query(x=VALUES.numpy()), ShapeError, "x of the query is ndarray"),
        (with_query(target=torch.zeros(4).long()), LabelError, r"is Tensor.*perdure.Logit\(labels\)"),
        (with_query(mask=MASK.sum(1)), LengthError, r"mask of the query has shape \(4,\) and dtype torch.int64"),
    ],
)
def test_what_is_no_trial_is_named(attribution, error, message):
    with pytest.raises(error, match=message):
        evaluate(attribution, "vanishing")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": AUROC}, r"the metric is the class AUROC.*AUROC\(...\)"),
        ({"metric": Gradient()}, r"Gradient, which has no 'measure'.*perdure.METRICS.names\(\)"),
        ({"metric": "auroc", "generator": 3}, "generator=3 is no torch.Generator"),
    ],
)
def test_what_is_no_metric_or_stream_is_named(settings, message):
    with pytest.raises(PerdureError, match=message):
        evaluate(TRIAL, **settings)
