"""How every method and metric calls a model: on copies of the data, and on no more rows than the batch size."""

import copy
import dataclasses

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from perdure.attribution._attribute import attribute
from perdure.core.batch import Batch
from perdure.core.errors import LengthError, SettingError, ShapeError, UnsupportedError
from perdure.core.method import NeedsFit
from perdure.core.registry import METHODS, METRICS
from perdure.metrics._evaluate import evaluate
from tests.cases import fill, stream
from tests.contracts.test_methods import CASES, PAIRS, QUICK, explain, make_case

METRIC_CASES = [(name, case) for name in METRICS.names() for case in ("series", "padded", "rectified")]
METRIC_DATA = {**CASES, "padded": dataclasses.replace(CASES["padded"], lengths=torch.tensor([7, 2, 5, 3, 6]))}
PAIRED = ("deep_lift", "deep_lift_shap")
"""Methods that compare each sample with a reference in one call."""


class Writes(nn.Module):
    """A model that first scales its inputs, in place or not, and clears its lengths at the end."""

    def __init__(self, inner, inplace):
        super().__init__()
        self.inner, self.inplace = inner, inplace

    def forward(self, x, lengths=None):
        outputs = self.inner(self._rescale(x)) if lengths is None else self.inner(self._rescale(x), lengths=lengths)
        if lengths is not None and self.inplace:
            lengths.zero_()
        return outputs

    def attention(self, x, lengths=None):
        return self.inner.attention(self._rescale(x), lengths)

    def _rescale(self, x):
        if not self.inplace:
            return x / 2 + 0.1
        x /= 2
        x += 0.1
        return x


def truth_of(case):
    truth = torch.zeros_like(case.x, dtype=torch.bool)
    truth[:, :1, ..., :1] = True
    return truth


def measure(metric, case, attribution, **settings):
    truth = truth_of(case)
    score = evaluate(dataclasses.replace(attribution, truth=truth), metric, draws=1, **settings)
    assert torch.equal(truth, truth_of(case))
    return score


def metric_or_skip(name, case):
    if name == "vanishing" and CASES[case].x.ndim == 4:
        pytest.skip("vanishing reads series")
    quick = {"sensitivity_n": "masks=4", "parameter_randomisation": "stages=1", "degradation": "window=2"}
    return f"{name}:{quick[name]}" if name in quick else name


@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_a_model_that_writes_to_its_inputs_is_explained_as_one_that_does_not(name, case):
    case = CASES[case]
    before = copy.deepcopy(case)
    maps = [explain(name, case, Writes(case.make().double(), inplace)) for inplace in (True, False)]
    torch.testing.assert_close(maps[0], maps[1])
    assert torch.equal(case.x, before.x)
    assert case.lengths is None or torch.equal(case.lengths, before.lengths)


@pytest.mark.parametrize(("name", "case"), METRIC_CASES)
def test_a_metric_of_a_model_that_writes_to_its_inputs_is_that_of_one_that_does_not(name, case):
    metric, case = metric_or_skip(name, case), METRIC_DATA[case]
    before, scores = copy.deepcopy(case), []
    for inplace in (True, False):
        model = Writes(case.make().double(), inplace)
        attribution = attribute(model, case.x, "input_x_gradient", target=case.label, lengths=case.lengths)
        scores.append(measure(metric, case, attribution))
    torch.testing.assert_close(scores[0].values, scores[1].values)
    torch.testing.assert_close(scores[0].null, scores[1].null)
    assert torch.equal(case.x, before.x)
    assert case.lengths is None or torch.equal(case.lengths, before.lengths)


def count(model, rows):
    """Note the rows of each call of a model, also of those that resume from a state or read attention."""
    model.register_forward_pre_hook(lambda _, arguments: rows.append(len(arguments[0])))
    for name in ("prefix_states", "attention"):
        if hasattr(model, name):
            setattr(model, name, noting(getattr(model, name), lambda x, *_: rows.append(len(x))))
    if hasattr(model, "resume"):
        model.resume = noting(model.resume, lambda _, points: rows.append(points.shape[0] * points.shape[1]))
    return model


def noting(function, note):
    def call(*arguments):
        note(*arguments)
        return function(*arguments)

    return call


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_batch_size_is_the_most_rows_in_a_call(name, case, batch_size):
    case, rows = CASES[case], []
    model = case.make().double()
    method = make_case(name, model, case)
    requested = {"target": case.label, "lengths": case.lengths, "generator": stream(3)}
    whole = attribute(model, case.x, method, **requested).values
    count(model, rows)
    if name in PAIRED and batch_size == 1:
        with pytest.raises(SettingError, match="--batch-size 2"):
            attribute(model, case.x, method, **requested, batch_size=1)
        return
    requested["generator"] = stream(3)
    torch.testing.assert_close(attribute(model, case.x, method, **requested, batch_size=batch_size).values, whole)
    assert max(rows, default=0) <= batch_size


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize("case", ["padded", "rectified"])
@pytest.mark.parametrize(
    "method",
    ["input_iba:prior=moments,steps=2,copies=2", "input_iba:read_out=signed,prior=moments,steps=2,copies=3"],
)
def test_batch_size_is_the_most_rows_in_a_call_of_the_stages_of_a_bottleneck(method, case, batch_size):
    case, rows = CASES[case], []
    model = case.make().double()
    fitted = METHODS.make(method).fit(model, Batch(case.x, case.label))
    requested = {"target": case.label, "lengths": case.lengths}
    whole = attribute(model, case.x, fitted, **requested).values
    count(model, rows)
    torch.testing.assert_close(attribute(model, case.x, fitted, **requested, batch_size=batch_size).values, whole)
    assert max(rows) <= batch_size


@pytest.mark.parametrize("batch_size", [1, 3])
@pytest.mark.parametrize(("name", "case"), METRIC_CASES)
def test_batch_size_is_the_most_rows_in_a_call_of_a_metric(name, case, batch_size):
    metric, case, rows = metric_or_skip(name, case), METRIC_DATA[case], []
    model = case.make().double()
    attribution = attribute(model, case.x, "input_x_gradient", target=case.label, lengths=case.lengths)
    whole = measure(metric, case, attribution)
    count(model, rows)
    score = measure(metric, case, attribution, batch_size=batch_size)
    torch.testing.assert_close(score.values, whole.values)
    torch.testing.assert_close(score.null, whole.null)
    assert max(rows, default=0) <= batch_size


class Packs(nn.Module):
    """A recurrence that takes series sorted by falling length, as `pack_padded_sequence` does by default."""

    def __init__(self, sort=True):
        super().__init__()
        self.recurrence, self.head, self.sort = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 3), sort

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=self.sort)
        return self.head(self.recurrence(packed)[1][0][-1])


SORTED = torch.tensor([7, 6, 5, 3, 2])
PACKED = [name for name, case in PAIRS if case == "padded" and METHODS.make(name)] + ["input_iba:read_out=signed"]


@pytest.mark.parametrize("name", [*PACKED, "integrated_gradients:tolerance=0.01", "input_iba:prior=moments,steps=2"])
def test_series_sorted_by_length_stay_sorted(name):
    case = dataclasses.replace(CASES["padded"], lengths=SORTED)
    maps = []
    for sort in (True, False):
        method = METHODS.make(QUICK.get(name, name))
        model = fill(Packs(sort)).double()
        if isinstance(method, NeedsFit):
            x = torch.randn(9, 7, 4, generator=stream(5), dtype=torch.float64)
            mask = torch.arange(7) < torch.tensor([7, 7, 6, 6, 5, 4, 3, 2, 2])[:, None]
            method = method.fit(model, Batch(x, torch.zeros(9, dtype=torch.int64), mask))
        maps.append(attribute(model, case.x, method, target=case.label, lengths=SORTED).values)
    torch.testing.assert_close(maps[0], maps[1])


@pytest.mark.parametrize("name", METRICS.names())
def test_metrics_keep_series_sorted(name):
    case, model = dataclasses.replace(CASES["padded"], lengths=SORTED), fill(Packs()).double()
    attribution = attribute(model, case.x, "gradient", target=case.label, lengths=SORTED)
    assert measure(metric_or_skip(name, "padded"), case, attribution).values.isfinite().all()


def test_series_that_are_not_sorted_are_refused_by_name():
    with pytest.raises(LengthError, match=r"enforce_sorted=False.*sort the samples"):
        attribute(Packs(), CASES["padded"].x.float(), "gradient", target=0, lengths=SORTED.flip(0))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # of torch.compile itself
@pytest.mark.parametrize("name", ["gradient", "occlusion", "grad_cam", "guided_backprop", "deep_lift"])
def test_a_model_that_is_compiled_is_explained_as_it_was(name):
    case = CASES["rectified"]
    model = case.make().double()
    expected = explain(name, case, model)
    compiled = torch.compile(copy.deepcopy(model), backend="eager")
    compiled(case.x)
    torch.testing.assert_close(explain(name, case, compiled), expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_frozen_model_is_explained():
    case = CASES["rectified"]
    model = case.make().double()
    frozen = torch.jit.freeze(torch.jit.script(model))
    for name in ("gradient", "occlusion"):
        torch.testing.assert_close(explain(name, case, frozen), explain(name, case, model))


def test_weights_made_in_inference_mode_are_refused_where_gradients_are_needed():
    case = CASES["table"]
    with torch.inference_mode():
        model = case.make().double()
    with pytest.raises(UnsupportedError, match="inference_mode"):
        explain("gradient", case, model)
    torch.testing.assert_close(explain("gradient", case, copy.deepcopy(model)), explain("gradient", case))


@pytest.mark.parametrize(
    ("x", "remedy"),
    [
        (torch.ones(2, 3).to_sparse(), "to_dense"),
        (torch.ones(2, 3, device="meta"), "give it values"),
        (torch.ones(2, 3, dtype=torch.complex64), "floating point"),
        (torch.nested.nested_tensor([torch.ones(3, 2), torch.ones(2, 2)], layout=torch.jagged), "to_padded_tensor"),
    ],
)
def test_tensors_without_dense_numbers_are_refused(x, remedy):
    with pytest.raises(ShapeError, match=remedy):
        attribute(nn.Flatten(), x, "gradient", target=0)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "a", True])
def test_a_batch_size_that_counts_nothing_is_refused(batch_size):
    case = CASES["table"]
    with pytest.raises(SettingError, match="batch_size"):
        explain("gradient", case, batch_size=batch_size)
