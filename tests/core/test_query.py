import pytest
import torch
from torch import nn

from perdure.core.errors import IndependentOutputError, ShapeError, UnsupportedError
from perdure.core.forward import evaluation
from perdure.core.query import Query, slice_query
from perdure.core.target import Logit
from tests.cases import Constant, Linear, Opaque, perceptron, recurrent, stream

X = torch.randn(3, 5, generator=stream())
SERIES = torch.randn(3, 7, 4, generator=stream())
LABEL = torch.tensor([0, 1, 0])
MASK = torch.arange(7) < torch.tensor([7, 3, 1])[:, None]


def query(model, x=X, mask=None, rows=2048, target=None):
    return Query(model, x, target or Logit(LABEL), mask, batch_size=rows)


def test_value_and_gradient_of_a_linear_model_are_known():
    model = Linear(5).float()
    value, gradient = query(model).value_and_gradient(X)
    torch.testing.assert_close(value, (X * model.weight[LABEL]).sum(1).detach())
    torch.testing.assert_close(gradient, model.weight[LABEL].detach())
    assert not value.requires_grad
    assert not gradient.requires_grad


@pytest.mark.parametrize("rows", [1, 4, 7, 2048])
def test_copies_share_targets_however_they_are_split(rows):
    points = torch.stack([X, 2 * X, X - 1, -X, X + 3])
    question = query(perceptron(), rows=rows)
    for verb in ("value", "gradient"):
        whole = getattr(question, verb)(points)
        one_by_one = torch.stack([getattr(question, verb)(item) for item in points])
        torch.testing.assert_close(whole, one_by_one)


def test_copies_share_lengths():
    question = query(Opaque().eval(), SERIES, MASK)
    later = torch.stack([SERIES, SERIES.masked_fill(~MASK[..., None], 9.0)])
    values = question.value(later)
    torch.testing.assert_close(values[0], values[1])
    assert question.lengths.tolist() == [7, 3, 1]


def test_passes_count_samples():
    question = query(perceptron())
    question.value(X.expand(4, -1, -1))
    question.gradient(X)
    slice_query(question, slice(2)).gradient(X[:2])
    assert (question.passes.forward, question.passes.backward) == (12 + 3 + 2, 3 + 2)


def test_a_part_takes_samples_in_any_order_and_often():
    question = query(Opaque().eval(), SERIES, MASK)
    whole = question.value(SERIES)
    index = torch.tensor([2, 0, 0, 1])
    item = slice_query(question, index)
    torch.testing.assert_close(item.value(item.x), whole[index])


def test_a_model_resumes_from_its_states():
    question = query(recurrent(), SERIES, MASK)
    assert question.resumable
    starts = [0, 2, 6]
    for begin, state in zip(starts, question.states(starts), strict=True):
        points = SERIES.expand(2, -1, -1, -1).clone()
        points[1, :, begin:] += 1
        torch.testing.assert_close(question.value_from(state, points[:, :, begin:]), question.value(points))


def test_models_without_states_or_attention_report_it():
    assert not query(Opaque(), SERIES).resumable
    assert not query(recurrent(bidirectional=True), SERIES).resumable
    for model in (Opaque(), recurrent()):
        with pytest.raises(UnsupportedError, match="lstm_self_attention"):
            query(model, SERIES).attention()


def test_attention_sums_to_one_and_is_computed_in_evaluation_mode():
    model = recurrent(pooling="self_attention", hops=3).train()
    weights = query(model, SERIES, MASK).attention()
    torch.testing.assert_close(weights.sum(1), torch.ones(3))
    assert model.training
    assert not weights[~MASK].any()


def test_no_gradient_is_a_named_error():
    with pytest.raises(IndependentOutputError, match="occlusion"):
        query(Constant(detached=True)).gradient(X)


def test_a_target_gives_one_scalar_per_sample():
    with pytest.raises(ShapeError, match="one scalar per sample"):
        query(perceptron(), target=lambda logits: logits).value(X)


def test_an_heir_of_a_target_goes_with_its_samples():
    class Lead(Logit):
        def __call__(self, logits):
            return self.pick(logits) - logits.mean(1)

    order = torch.tensor([2, 0, 1])
    question = query(perceptron(), target=Lead(LABEL))
    torch.testing.assert_close(slice_query(question, order).value(X[order]), question.value(X)[order])


def test_evaluation_leaves_every_mode_and_no_hook_behind_even_after_an_error():
    model = Opaque().train()
    model.head.eval()
    with pytest.raises(RuntimeError, match="shapes"), evaluation(model):
        model.head(torch.zeros(1, 1))
    assert [m.training for m in model.modules()] == [True, True, True, False]
    assert not model.recurrence._forward_hooks
    assert not model.recurrence._forward_pre_hooks


def test_cudnn_is_off_only_inside_recurrent_modules(monkeypatch):
    seen = []

    class Spy(nn.LSTM):
        def forward(self, *given):
            seen.append(torch.backends.cudnn.enabled)
            return super().forward(*given)

    model = Opaque()
    model.recurrence = Spy(4, 6, batch_first=True)
    model.head.register_forward_hook(lambda *_: seen.append(torch.backends.cudnn.enabled))
    before = torch.backends.cudnn.enabled
    query(model, SERIES).value(SERIES)
    assert set(zip(seen[::2], seen[1::2], strict=True)) == {(False, before)}
    assert torch.backends.cudnn.enabled == before


def test_lists_of_functions_are_models_too():
    question = Query(lambda x: x.sum(1), X, lambda logits: logits[:, 0])
    torch.testing.assert_close(question.value(X), X.sum(1))
    assert torch.equal(question.gradient(X), torch.ones_like(X))


def test_a_part_of_a_part_keeps_the_positions_among_all_samples():
    query = Query(lambda x: x, torch.arange(8.0)[:, None], lambda outputs: outputs[:, 0])
    item = slice_query(slice_query(query, slice(2, 7)), torch.tensor([4, 0, 0]))
    positions, count = item.positions
    assert (positions.tolist(), count) == ([6, 2, 2], 8)
    assert slice_query(query, slice(0, 8)).positions[0].tolist() == list(range(8))
