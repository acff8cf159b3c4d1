from dataclasses import replace

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.smooth_grad import SmoothGrad
from perdure.core.attribution import Attribution
from perdure.core.errors import (
    EmptyDataError,
    IndependentOutputError,
    LabelError,
    LengthError,
    NonFiniteError,
    ProbabilityWarning,
    SettingError,
    ShapeError,
    UnknownNameError,
    UnsupportedError,
)
from perdure.core.query import Query
from perdure.core.registry import METHODS
from perdure.core.target import Logit, Probability
from perdure.metrics._evaluate import evaluate
from tests.cases import Constant, Linear, Opaque, perceptron, stream

X = torch.randn(3, 7, 4, generator=stream())
LABEL = torch.tensor([0, 1, 2])
MODEL = Opaque().eval()
DOUBLE = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(28, 3)).double()


class Several(torch.nn.Module):
    """A model of series and ages."""

    def forward(self, x, age):
        return x.sum(1) + age


def explain(model=MODEL, x=X, method="gradient", target=LABEL, **settings):
    return attribute(model, x, method, target=target, **settings)


def test_the_record_shows_how_the_map_was_made():
    result = explain(method="smooth_grad:samples=2,noise=0.5", generator=stream(7), target=Probability(LABEL))
    record = result.provenance
    assert result.dims == ("batch", "time", "feature")
    assert (record.method, record.target, record.seed) == ("smooth_grad", "probability", 7)
    assert record.fields == {"method": "gradient", "samples": 2, "noise": 0.5}
    assert record.versions["torch"] == torch.__version__
    assert len(record.model_digest) == 16


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"method": "integrated_gradient"}, UnknownNameError, "did you mean 'integrated_gradients'"),
        ({"method": "smooth_grad:sample=3"}, SettingError, "did you mean 'samples'"),
        ({"method": "integrated_gradients:steps=many"}, SettingError, "steps='many'"),
        ({"method": "occlusion:baseline=black"}, SettingError, "baseline"),
        ({"x": X.masked_fill(X > 1, torch.nan)}, NonFiniteError, "the first at index"),
        ({"x": X / 0}, NonFiniteError, "infinite"),
        ({"x": X.long()}, ShapeError, r"x\.float.*token ids.*TokenModel"),
        ({"x": X.tolist()}, ShapeError, r"x is list.*torch\.as_tensor\(x, dtype=torch.float32\)"),
        ({"x": X.numpy()}, ShapeError, "x is ndarray.*as_tensor"),
        ({"target": [0, 1, 2]}, LabelError, r"the target is \[0, 1, 2\] of type list.*torch.as_tensor\(labels\)"),
        ({"target": LABEL.numpy()}, LabelError, "of type ndarray"),
        ({"target": "probability"}, LabelError, r"'probability' of type str.*perdure.Probability\(labels\)"),
        ({"target": None}, LabelError, "None of type NoneType"),
        ({"target": Probability}, LabelError, "the target is the class Probability"),
        ({"target": Probability(LABEL[:2])}, LabelError, "one class number per sample"),
        ({"target": Probability(LABEL + 1)}, LabelError, "the label of sample 2 is 3"),
        ({"target": Probability([0, 1, 2])}, LabelError, "labels are list"),
        ({"method": SmoothGrad}, SettingError, r"the class SmoothGrad.*SmoothGrad\(...\)"),
        ({"method": None}, SettingError, r"NoneType, which has no 'scores'.*perdure.METHODS.names\(\)"),
        ({"generator": 3}, SettingError, r"manual_seed"),
        ({"batch_size": 0}, SettingError, "batch_size is 0"),
        ({"lengths": [7, 7, 7]}, LengthError, "lengths are list"),
        ({"model": DOUBLE}, UnsupportedError, r"torch.float64, the inputs.*x.to\(torch.float64\)"),
        ({"model": Several()}, UnsupportedError, r"more than one input.*'age'.*Adapted\(model, given="),
        ({"model": lambda x: {"logits": x.sum(1)}}, UnsupportedError, r"returns dict.*perdure.Adapted\(model\)"),
        (
            {"model": lambda x: x.sum((1, 2))},
            LabelError,
            r"has 1 output. .*label 0.*Adapted\(model, outputs='logit'\).*--outputs",
        ),
        ({"x": X[0, 0]}, ShapeError, "shape"),
        ({"x": X[:0], "target": LABEL[:0]}, EmptyDataError, "holds nothing"),
        ({"x": X[:, :0]}, EmptyDataError, "holds nothing"),
        ({"target": LABEL + 1}, LabelError, "the label of sample 2 is 3"),
        ({"target": LABEL - 1}, LabelError, "the label of sample 0 is -1"),
        ({"target": LABEL[:2]}, LabelError, "one class number per sample"),
        ({"target": LABEL.float()}, LabelError, "one class number per sample"),
        ({"lengths": torch.tensor([7, 0, 1])}, LengthError, "the length of sample 1 is 0"),
        ({"lengths": torch.tensor([7, 8, 1])}, LengthError, "the length of sample 1 is 8"),
        ({"lengths": torch.tensor([7, 1])}, LengthError, "one whole number per sample"),
        ({"model": Linear(7, 4), "target": LABEL % 2, "lengths": LABEL + 1}, UnsupportedError, "does not take them"),
        ({"model": lambda x: (x, x)}, UnsupportedError, "tuple"),
        ({"model": lambda x: x}, ShapeError, "wrap it"),
        ({"target": lambda logits: logits.sum()}, LabelError, "alone the value"),
        ({"target": lambda logits: logits[torch.arange(3), LABEL]}, LabelError, "alone the value"),
        ({"target": lambda logits: logits[:, 0] - logits.max()}, LabelError, "alone the value"),
        ({"model": lambda x: x.sum(1) / 0}, NonFiniteError, "NaN or infinity for 3 samples"),
    ],
)
def test_bad_input_is_a_named_error(given, error, message):
    with pytest.raises(error, match=message) as caught:
        explain(**given)
    assert caught.value.remedy


@pytest.mark.parametrize("detached", [True, False])
@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "occlusion", "smooth_grad"])
def test_a_model_that_ignores_its_input_is_a_named_error(method, detached):
    with pytest.raises(IndependentOutputError, match=r"input"):
        explain(Constant(detached), X, method, target=LABEL % 2)


def test_a_map_of_zeros_is_no_error_when_the_output_depends_on_the_input():
    flat = lambda x: (x.flatten(1).sum(1, keepdim=True) - 60).relu()  # noqa: E731
    assert not explain(flat, X, target=lambda outputs: outputs[:, 0]).values.any()


def test_probabilities_warn_unless_they_are_meant():
    model = torch.nn.Sequential(perceptron(4), torch.nn.Softmax(-1))
    with pytest.warns(ProbabilityWarning, match="softmax"):
        explain(model, X[:, 0])
    explain(model, X[:, 0], target=lambda probabilities: probabilities[:, 0])


def test_a_method_must_give_one_number_per_site():
    class Short:
        def scores(self, query):
            return query.x[:, :1]

    for method in (Short(), SmoothGrad(Short())):
        with pytest.raises((ShapeError, RuntimeError), match=r"site|shape"):
            explain(method=method)


def test_an_error_inside_the_model_is_shown_as_it_is():
    def broken(x, lengths=None):
        raise TypeError("unsupported operand")

    with pytest.raises(TypeError, match="operand"):
        explain(broken, lengths=LABEL + 1)


def test_one_class_number_stands_for_all_samples():
    assert torch.equal(explain(target=2).values, explain(target=torch.full((3,), 2)).values)


def test_inference_mode_is_named():
    with torch.inference_mode(), pytest.raises(UnsupportedError, match="inference_mode"):
        explain()


def test_records_are_shown_by_their_shapes():
    result = explain(method="saliency")
    assert repr(result).startswith(
        "Attribution(values=float32 (3, 7, 4), dims=('batch', 'time', 'feature'), provenance"
    )
    assert "tensor(" not in repr(result)


def test_a_model_on_another_device_is_named():
    model = perceptron(4).to("meta")
    with pytest.raises(
        UnsupportedError, match=r"the model is on meta, the inputs are on cpu. Remedy: move one of them"
    ):
        explain(model, X[:, 0])


class Last(torch.nn.Linear):
    """Reads the last valid step."""

    def forward(self, x, lengths=None):
        last = x[:, -1] if lengths is None else x[torch.arange(len(x)), lengths - 1]
        return super().forward(last)


@pytest.mark.parametrize("batch_size", [2, 256])
def test_the_predicted_class_is_explained_by_its_name(generator, batch_size):
    model, lengths = Last(3, 4), torch.tensor([5, 2, 3, 1, 4])
    x = torch.randn(5, 5, 3, generator=generator)
    label = model(x, lengths=lengths).argmax(1)
    result = attribute(model, x, "gradient", target="predicted", lengths=lengths, batch_size=batch_size)
    there = attribute(model, x, "gradient", target=label, lengths=lengths)
    assert torch.equal(result.values, there.values)
    assert torch.equal(result.query.target.label, label)
    assert result.provenance.target == "logit"
    assert result.provenance.forward == there.provenance.forward + 5


def test_another_word_is_no_target():
    with pytest.raises(LabelError, match=r"the target is 'predict'.*'predicted' for the class"):
        attribute(Last(3, 4), torch.ones(1, 5, 3), "gradient", target="predict")


def test_the_trial_of_an_attribution_is_the_one_that_would_be_made_again(generator):
    model, x, label = Last(3, 4), torch.randn(4, 5, 3, generator=generator), torch.tensor([0, 3, 1, 2])
    truth = torch.zeros(4, 5, 3).bool()
    truth[:, -1] = True
    result = attribute(model, x, "occlusion", target=label)
    again = Attribution(
        result.values, source=Query(model, x, Logit(label)), truth=truth, method=METHODS.make("occlusion")
    )
    names = ["insertion:points=4", "auroc", "parameter_randomisation:stages=1"]
    scores = evaluate(replace(result, truth=truth), names)
    assert list(scores) == names
    for name, score in scores.items():
        assert torch.equal(score.values, evaluate(again, name).values)
        assert torch.equal(score.null, evaluate(again, name).null)
    assert result.query.passes is not again.query.passes
