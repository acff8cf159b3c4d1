"""What a model returns: found on the data, declared, and followed by every target."""

import warnings

import pytest
import torch
from torch import nn

import perdure
from perdure.core.attribution import Attribution
from perdure.core.errors import LabelError, OutputsWarning, PerdureError, ProbabilityWarning, ShapeError
from perdure.core.outputs import detect_outputs, is_affine, log_odds, log_probability, margins, probability
from perdure.core.query import Query, slice_query
from perdure.core.target import Logit, LogOdds, LogProbability, Margin, Probability
from tests.cases import stream

X = torch.randn(6, 3, 2, generator=stream())
LABEL = torch.tensor([0, 1, 2, 1, 0, 2])
TARGETS = (Probability, LogProbability, LogOdds, Margin)


def linear(outputs, *layers):
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, outputs), *layers)
    for weight in model.parameters():
        nn.init.normal_(weight, generator=stream(outputs))
    return model


def silently(model, target, method="gradient"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutputsWarning)
        return perdure.attribute(model, X, method, target=target)


LOGITS, SOFTMAX = linear(3), linear(3, nn.Softmax(1))
LOGIT, SIGMOID = linear(1), linear(1, nn.Sigmoid())
LABELS, SIGMOIDS = linear(4), linear(4, nn.Sigmoid())


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_is_the_same_function_of_logits_and_of_their_probabilities(target):
    outputs = LOGITS(X).double()
    torch.testing.assert_close(
        target(LABEL, "probabilities")(outputs.softmax(1)), target(LABEL)(outputs), rtol=1e-9, atol=1e-9
    )
    binary = LOGIT(X).double()
    for label in (0, 1):
        chosen = torch.full((6,), label)
        torch.testing.assert_close(target(chosen, "probability")(binary.sigmoid()), target(chosen, "logit")(binary))
    torch.testing.assert_close(
        target(LABEL, "independent_probabilities")(LABELS(X).double().sigmoid()),
        target(LABEL, "independent_logits")(LABELS(X).double()),
    )


@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "occlusion", "shapley_sampling:samples=2"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_model_with_softmax_is_explained_as_the_one_without(method, target):
    with_softmax, without = (silently(model, target(LABEL), method).values for model in (SOFTMAX, LOGITS))
    torch.testing.assert_close(with_softmax, without, rtol=1e-3, atol=1e-5)


def test_gradients_of_a_probability_are_those_of_the_outputs_themselves():
    for model, label in ((SOFTMAX, LABEL), (SIGMOID, LABEL * 0), (SIGMOIDS, LABEL)):
        x = X.clone().requires_grad_()
        expected = torch.autograd.grad(model(x).gather(1, label[:, None]).sum(), x)[0]
        torch.testing.assert_close(silently(model, Probability(label)).values, expected)
        torch.testing.assert_close(silently(model, label).values, expected)


@pytest.mark.parametrize("outputs", ["probabilities", "independent_probabilities", "probability"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_logarithms_of_probabilities_of_zero_and_one_are_finite(outputs, dtype):
    table = torch.tensor([[0.0], [1.0]] if outputs == "probability" else [[0.0, 1.0], [1.0, 0.0]], dtype=dtype)
    for label in (torch.tensor([0, 0]), torch.tensor([1, 1])):
        for value in (log_probability(table, outputs), log_odds(table, outputs, label), margins(table, outputs, label)):
            assert value.isfinite().all()


@pytest.mark.parametrize(
    ("model", "kind", "warns"),
    [
        (LOGITS, "logits", None),
        (SOFTMAX, "probabilities", ProbabilityWarning),
        (SIGMOIDS, "independent_probabilities", ProbabilityWarning),
        (SIGMOID, "independent_probabilities", ProbabilityWarning),
        (LOGIT, "numbers", OutputsWarning),
        (lambda x: 200 + 30 * LOGIT(x), "numbers", OutputsWarning),
        (lambda x: LOGIT(x)[:, 0].sigmoid(), "independent_probabilities", ProbabilityWarning),
        (lambda x: 1 / (1 + (-LABELS(x)).exp()), "independent_probabilities", ProbabilityWarning),
        (lambda x: LOGIT(x) * 0.02 + 0.5, "numbers", OutputsWarning),  # only happens to lie in [0, 1]
    ],
)
def test_the_kind_is_found_and_what_is_assumed_is_reported_once(model, kind, warns):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attribution = perdure.attribute(model, X, "gradient", target=LABEL * 0)
        perdure.evaluate(attribution, ["insertion:points=3", "deletion:points=3", "sensitivity_n:masks=5"])
    assert attribution.query.target.outputs == kind
    assert [w.category for w in caught] == ([] if warns is None else [warns])
    assert all("perdure.Adapted(model, outputs=" in str(w.message) and "--outputs" in str(w.message) for w in caught)


def test_more_than_the_first_sample_decides():
    shifted = lambda x: torch.cat([1 - x.flatten(1)[:, :1], x.flatten(1)[:, :1]], 1)  # noqa: E731 - sums to one always
    x = X.clone()
    x[0, 0, 0] = 0.3
    assert perdure.attribute(shifted, x, "gradient", target=1).query.target.outputs == "logits"
    regression = lambda x: x.flatten(1)[:, :1]  # noqa: E731
    with pytest.warns(OutputsWarning, match="logit or a number"):
        assert perdure.attribute(regression, x, "gradient", target=0).query.target.outputs == "numbers"


def test_a_layer_without_activation_gives_no_probabilities_whatever_its_range():
    head = nn.Sequential(nn.Flatten(), nn.Tanh(), nn.Linear(6, 3))
    nn.init.constant_(head[2].weight, 0.01), nn.init.constant_(head[2].bias, 0.5)
    assert is_affine(head(X))
    assert detect_outputs(head(X)) == "independent_probabilities"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert perdure.attribute(head, X, "gradient", target=1).query.target.outputs == "logits"


def declare(model, kind):
    return perdure.Adapted(model, outputs=kind)


@pytest.mark.parametrize(
    ("model", "kind", "label", "number"),
    [
        (LOGITS, "logits", 1, lambda o: o.softmax(1)[:, 1]),
        (SOFTMAX, "probabilities", 1, lambda o: o[:, 1]),
        (LOGIT, "logit", 0, lambda o: (-o[:, 0]).sigmoid()),
        (LOGIT, "logit", 1, lambda o: o[:, 0].sigmoid()),
        (SIGMOID, "probability", 0, lambda o: 1 - o[:, 0]),
        (SIGMOID, "probability", 1, lambda o: o[:, 0]),
        (LABELS, "independent_logits", 3, lambda o: o[:, 3].sigmoid()),
        (SIGMOIDS, "independent_probabilities", 3, lambda o: o[:, 3]),
        (LOGIT, "numbers", 0, lambda o: o[:, 0]),
        (LABELS, "numbers", 3, lambda o: o[:, 3]),
        (lambda x: 200 + 30 * LABELS(x), "numbers", 3, lambda o: o[:, 3]),
    ],
)
def test_curves_start_at_the_number_that_the_declared_model_gives(model, kind, label, number):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attribution = perdure.attribute(declare(model, kind), X, "input_x_gradient", target=label)
        deletion, insertion = (perdure.evaluate(attribution, f"{name}:points=3") for name in ("deletion", "insertion"))
    torch.testing.assert_close(deletion.curve[:, 0], number(model(X)))
    torch.testing.assert_close(insertion.curve[:, -1], number(model(X)))
    torch.testing.assert_close(insertion.curve[:, 0], number(model(X * 0)))
    assert (insertion.ceiling >= insertion.values).all()
    assert (deletion.ceiling <= deletion.values).all()
    if kind == "numbers":
        assert (insertion.ceiling >= torch.maximum(insertion.curve[:, 0], insertion.curve[:, -1])).all()
    else:
        assert (insertion.ceiling == 1).all()
        assert (deletion.ceiling == 0).all()


def test_the_predicted_class_of_one_output_has_the_sign_of_that_class():
    logits = LOGIT(X)[:, 0]
    assert (logits < 0).any()
    assert (logits > 0).any()
    sign, change = logits.sign(), (LOGIT(X) - LOGIT(X * 0))[:, 0]
    result = perdure.attribute(declare(LOGIT, "logit"), X, "integrated_gradients", target="predicted").values
    torch.testing.assert_close(result.flatten(1).sum(1), sign * change / 2, rtol=1e-4, atol=1e-5)
    change = (SIGMOID(X) - SIGMOID(X * 0))[:, 0]
    sign = (SIGMOID(X)[:, 0] - 0.5).sign()
    for model in (SIGMOID, declare(SIGMOID, "probability")):
        attribution = silently(model, "predicted", "integrated_gradients:steps=300")
        torch.testing.assert_close(attribution.values.flatten(1).sum(1), sign * change, rtol=1e-3, atol=1e-4)
        curve = perdure.evaluate(attribution, "deletion:points=3").curve
        torch.testing.assert_close(curve[:, 0], (sign * (SIGMOID(X)[:, 0] - 0.5)) + 0.5)
    with pytest.raises(LabelError, match=r"Adapted\(model, outputs='logit'\).*--outputs logit"):
        perdure.attribute(LOGIT, X, "gradient", target="predicted")
    with pytest.raises(LabelError, match="numbers, which predict no class"):
        perdure.attribute(declare(LABELS, "numbers"), X, "gradient", target="predicted")


@pytest.mark.parametrize(
    ("model", "kind", "error"),
    [
        (LOGITS, "probabilities", PerdureError),
        (SIGMOIDS, "probabilities", PerdureError),
        (LOGITS, "logit", ShapeError),
        (LOGIT, "logits", ShapeError),
        (LOGIT, "probability", PerdureError),
        (LABELS, "independent_probabilities", PerdureError),
    ],
)
def test_a_declaration_that_the_outputs_contradict_is_refused(model, kind, error):
    with pytest.raises(error, match=r"outputs|output") as caught:
        perdure.attribute(declare(model, kind), X, "gradient", target=0)
    assert caught.value.remedy


def test_numbers_have_no_probability():
    for target in TARGETS:
        with pytest.raises(PerdureError, match="numbers"):
            perdure.attribute(declare(LABELS, "numbers"), X, "gradient", target=target(LABEL))
    with pytest.raises(PerdureError):
        probability(LABELS(X), "numbers")


def test_a_query_made_by_hand_finds_the_kind_and_its_parts_keep_it():
    query = Query(SOFTMAX, X, Probability(LABEL))
    expected = SOFTMAX(X).gather(1, LABEL[:, None])[:, 0]
    torch.testing.assert_close(query.value(X), expected)
    torch.testing.assert_close(slice_query(query, torch.tensor([4, 1])).value(X[[4, 1]]), expected[[4, 1]])
    score = perdure.evaluate(Attribution(X, source=Query(SOFTMAX, X, Probability(LABEL))), "deletion:points=3")
    torch.testing.assert_close(score.curve[:, 0], expected)


STEPWISE = nn.Linear(2, 2)


@pytest.mark.parametrize(
    ("model", "target", "text"),
    [
        (LOGITS, Logit(LABEL + 1), "label of sample 2 is 3"),
        (LOGITS, Logit(LABEL.float()), "dtype torch.float32"),
        (LOGITS, Logit(LABEL[:2]), r"shape \(2,\)"),
        (LOGITS, Logit([0] * 6), "labels are list"),
        (LOGITS, 2**70, "label is"),
        (LOGITS, 1.0, "type float"),
        (STEPWISE, perdure.AtStep(9, Logit(LABEL % 2)), "step of sample 0 is 9"),
        (STEPWISE, perdure.AtStep(torch.tensor([0, 1, 2, 3, 0, 0]), Logit(1)), "step of sample 3 is 3"),
        (STEPWISE, perdure.AtStep([0] * 6, Logit(1)), "steps are list"),
        (STEPWISE, perdure.AtStep(0, Logit(7)), "label of sample 0 is 7"),
        (LOGITS, perdure.AtStep(0, Logit(0)), "no steps"),
    ],
)
def test_labels_and_steps_that_do_not_fit_are_named_everywhere(model, target, text):
    with pytest.raises(LabelError, match=text):
        perdure.attribute(model, X, "gradient", target=target)
    if callable(target):
        with pytest.raises(LabelError, match=text):
            perdure.evaluate(Attribution(X, source=Query(model, X, target)), "insertion")
        with pytest.raises(LabelError, match=text):
            Query(model, X, target).value(X)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int32, torch.int64])
def test_labels_of_every_whole_type_are_taken(dtype):
    labels = (LABEL % 2).to(dtype)
    expected = perdure.attribute(LOGITS, X, "gradient", target=LABEL % 2).values
    for target in (labels, Logit(labels)):
        assert torch.equal(perdure.attribute(LOGITS, X, "gradient", target=target).values, expected)
    ones = perdure.attribute(LOGITS, X, "gradient", target=1).values
    for item in (True, Logit(1), torch.tensor(1), Logit(torch.tensor(True))):
        assert torch.equal(perdure.attribute(LOGITS, X, "gradient", target=item).values, ones)
    assert perdure.attribute(STEPWISE, X, "gradient", target=perdure.AtStep(1, Logit(1))).values[:, 1].any()
