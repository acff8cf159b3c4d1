import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.temporal_integrated_gradients import TemporalIntegratedGradients
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.core.target import AtStep, Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import Opaque, perceptron, recurrent, stream
from tests.reference.temporal_loop import temporal_integrated_gradients

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 6, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 2, 4])
METHOD = TemporalIntegratedGradients(steps=7, baseline="mean")


def expect(model, query, lengths):
    start = baseline_of("mean", query)
    result = torch.zeros_like(X)
    for i, n in enumerate(lengths):
        function = lambda p, i=i: model(p[None])[0, LABEL[i]]  # noqa: E731
        result[i, :n] = temporal_integrated_gradients(function, X[i, :n], start[i, :n], 7)
    return result


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize(
    "make",
    [
        lambda: recurrent(cell="gru"),
        lambda: recurrent(layers=2),
        lambda: recurrent(pooling="mean"),
        lambda: recurrent(pooling="max", cell="rnn"),
        lambda: recurrent(bidirectional=True, pooling="mean"),
        lambda: Opaque().eval(),
    ],
)
def test_a_loop_over_steps_and_nodes_agrees(make, lengths):
    model = make().double()
    mask = None if lengths is None else length_mask(lengths, 6)
    query = Query(model, X, Logit(LABEL), mask)
    result = METHOD.scores(query) if mask is None else METHOD.scores(query) * mask[..., None]
    torch.testing.assert_close(result, expect(model, query, [6] * 3 if lengths is None else lengths))


@pytest.mark.parametrize("rows", [3, 10])
def test_the_rows_of_a_call_change_nothing(rows):
    for model in (recurrent().double(), Opaque().double().eval()):
        whole = METHOD.scores(Query(model, X, Logit(LABEL)))
        torch.testing.assert_close(METHOD.scores(Query(model, X, Logit(LABEL), batch_size=rows)), whole)


def test_with_the_future_present_the_last_step_is_as_without():
    model = recurrent(pooling="mean").double()
    whole = TemporalIntegratedGradients(steps=9, future="present").scores(Query(model, X, Logit(LABEL)))
    absent = TemporalIntegratedGradients(steps=9).scores(Query(model, X, Logit(LABEL)))
    torch.testing.assert_close(whole[:, -1], absent[:, -1])
    assert not torch.allclose(whole[:, 0], absent[:, 0])


def test_a_target_at_one_step_is_taken_at_the_end_of_each_prefix():
    rectified = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()).double()
    target = AtStep(5, Logit(LABEL))
    result = attribute(rectified, X, METHOD, target=target).values
    each = [
        attribute(rectified, X, "integrated_gradients:steps=7,baseline=mean", target=AtStep(t, Logit(LABEL)))
        for t in range(6)
    ]
    for t, item in enumerate(each):
        torch.testing.assert_close(result[:, t], item.values[:, t])


def test_what_it_cannot_explain_is_a_named_error():
    with pytest.raises(UnsupportedError, match="explains series"):
        attribute(perceptron(), torch.ones(2, 5), "temporal_integrated_gradients", target=0)
    fixed = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 3)).double()
    with pytest.raises(UnsupportedError, match="all 6 steps only"):
        attribute(fixed, X, "temporal_integrated_gradients", target=0)
    attribute(fixed, X, "temporal_integrated_gradients:future=present", target=0)
    with pytest.raises(SettingError, match="future"):
        TemporalIntegratedGradients(future="soon")
