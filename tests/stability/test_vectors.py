from dataclasses import replace

import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch
from perdure.core.errors import SettingError, ShapeError, UnsupportedError, VocabularyError
from perdure.core.target import LogProbability
from perdure.data.planted_events import PlantedEvents
from perdure.models.hierarchical import Hierarchical
from perdure.stability.vectors import pool_by_event
from tests.reference import event_loop

TYPES = 5


def make_attribution(method="gradient", target="logit", features=3):
    draw = torch.Generator().manual_seed(0)
    values = torch.randn(6, 8, features, generator=draw, dtype=torch.float64)
    mask = torch.arange(8) < torch.tensor([8, 6, 4, 2, 1, 8])[:, None]
    event = torch.randint(-1, TYPES, (6, 8), generator=draw)
    batch = Batch(torch.zeros(6, 8, features), torch.zeros(6, dtype=torch.int64), mask, event=event)
    made = Provenance(method, {}, target, 0, {}, "", 1, 1)
    return Attribution(values.masked_fill(~mask[:, :, None], 0.0), ("batch", "time", "feature"), made), batch


@pytest.mark.parametrize("pooling", ["sum", "mean"])
def test_equals_the_loop(pooling):
    attribution, batch = make_attribution()
    result = pool_by_event(attribution, batch, TYPES, pooling)
    for i, values in enumerate(attribution.values.tolist()):
        event, valid = batch.event[i].tolist(), batch.mask[i].tolist()
        expected, present = event_loop.pool(values, event, valid, TYPES, pooling == "mean")
        assert result.values[i].tolist() == pytest.approx(expected, abs=1e-14)
        assert result.present[i].tolist() == present


def test_attention_is_summed_and_everything_else_averaged_by_default():
    attention, batch = make_attribution("attention")
    gradient, _ = make_attribution("gradient")
    for first, other, pooling in ((attention, gradient, "sum"), (gradient, attention, "mean")):
        reported = pool_by_event(other, batch, TYPES, pooling)
        assert torch.equal(pool_by_event(first, batch, TYPES).values, reported.values)


def test_sums_of_attention_add_up_to_one_when_every_step_has_a_type():
    steps, event = torch.tensor([[0.2, 0.5, 0.3]])[:, :, None], torch.tensor([[1, 1, 0]])
    batch = Batch(torch.zeros(1, 3, 1), torch.tensor([0]), event=event)
    made = Provenance("attention", {}, "logit", 0, {}, "", 1, 0)
    result = pool_by_event(Attribution(steps, ("batch", "time", "feature"), made), batch, 2)
    assert result.values[0].tolist() == pytest.approx([0.3, 0.7])


def test_pooled_attention_is_the_attention_of_a_hierarchical_model_to_types():
    """A step's weight is that of its type times its fraction of it, so that sums over steps give the type's back."""
    batch = PlantedEvents(train=6, validation=1, test=1).load(0).train
    types = batch.inputs.shape[2]
    model = Hierarchical(4, (5,)).build(types, 2, torch.Generator().manual_seed(0)).eval()
    lengths = None if batch.mask is None else batch.mask.sum(1)
    result = pool_by_event(
        attribute(model, batch.inputs, "attention", target=batch.label, lengths=lengths), batch, types
    )
    with torch.no_grad():
        expected = model.type_attention(batch.inputs, lengths)
    torch.testing.assert_close(result.values, expected, rtol=0, atol=1e-6)
    assert torch.equal(result.present, expected > 0)


def test_events_of_one_time_each_have_the_value_of_their_step():
    """By hand: types 0 and 2 share the first step, 2 has the second too, none the third; the fourth is padding."""
    marks = torch.tensor([[[1.0, 0, 1], [0, 0, 1], [0, 0, 0], [0, 1, 0]]])
    batch = Batch(torch.cat([torch.full((1, 4, 2), 0.5), marks], 2), torch.tensor([0]), torch.arange(4)[None] < 3)
    made = Provenance("gradient", {}, "logit", 0, {}, "", 1, 1)
    steps = torch.tensor([[[1.0, 2, 0, 0, 1], [0, 6, 0, 0, 0], [9, 0, 0, 0, 0], [5, 0, 0, 0, 0]]])
    whole = Attribution(steps, ("batch", "time", "feature"), made)
    assert pool_by_event(whole, batch, 3, "sum").values.tolist() == [[4.0, 0.0, 10.0]]
    assert pool_by_event(whole, batch, 3).values.tolist() == [[4.0, 0.0, 5.0]]
    assert pool_by_event(whole, batch, 3).present.tolist() == [[True, False, True]]


@pytest.mark.parametrize("method", ["attention", "gradient"])
def test_marks_of_single_events_give_the_vectors_of_events(method):
    batch = PlantedEvents(train=6, validation=1, test=1).load(0).train
    types = batch.inputs.shape[2]
    values = torch.randn(6, 25, 1 if method == "attention" else types, generator=torch.Generator().manual_seed(0))
    made = Provenance(method, {}, "logit", 0, {}, "", 1, 1)
    result, other = (
        pool_by_event(Attribution(values, ("batch", "time", "feature"), made), item, types)
        for item in (batch, replace(batch, event=None))
    )
    assert torch.equal(result.values, other.values)
    assert torch.equal(result.present, other.present)


def test_published_gradients_are_of_the_loss_and_scaled_over_time():
    attribution, batch = make_attribution("gradient", "log_probability")
    result = pool_by_event(attribution, batch, TYPES, compat="published")
    for i, values in enumerate(attribution.values.tolist()):
        event, valid = batch.event[i].tolist(), batch.mask[i].tolist()
        loss = [[-number for number in step] for step in values]
        expected, _ = event_loop.pool(event_loop.over_time(loss, valid), event, valid, TYPES, True)
        assert result.values[i].tolist() == pytest.approx(expected, abs=1e-14)


def test_published_gradients_do_not_depend_on_the_scale_of_the_loss():
    """As the published code needs it to be: its loss is a mean over the sequences of a batch."""
    attribution, batch = make_attribution("gradient", "log_probability")
    smaller = Attribution(attribution.values / 512, attribution.dims, attribution.provenance)
    vectors = [pool_by_event(item, batch, TYPES, compat="published").values for item in (attribution, smaller)]
    torch.testing.assert_close(*vectors, rtol=0, atol=1e-14)


def test_a_dead_feature_stays_zero_in_published_vectors():
    attribution, batch = make_attribution("gradient", "log_probability", features=1)
    dead = Attribution(torch.zeros_like(attribution.values), attribution.dims, attribution.provenance)
    assert not pool_by_event(dead, batch, TYPES, compat="published").values.any()


def test_it_takes_what_attribute_returns():
    """A linear model: the gradient of each step is its weights, so every type that occurs has their sum."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * 2, 2, bias=False))
    model[1].weight.data.copy_(torch.tensor([[0.0, 1.0], [1.0, 3.0]]).repeat(1, 4))
    batch = Batch(torch.ones(3, 4, 2), torch.tensor([0, 1, 0]), event=torch.tensor([[0, 0, 2, 2]]).repeat(3, 1))
    result = pool_by_event(attribute(model, batch.inputs, "gradient", target=batch.label), batch, 3)
    assert result.values.tolist() == [[1.0, 0.0, 1.0], [4.0, 0.0, 4.0], [1.0, 0.0, 1.0]]
    arguments = attribute(model, batch.inputs, "gradient", target=LogProbability(batch.label))
    assert pool_by_event(arguments, batch, 3, compat="published").values.shape == (3, 3)


def test_what_cannot_be_pooled_is_named():
    attribution, batch = make_attribution()
    with pytest.raises(VocabularyError, match="there are 2 types"):
        pool_by_event(attribution, batch, 2)
    with pytest.raises(ShapeError, match="no event types"):
        pool_by_event(attribution, Batch(batch.inputs, batch.label), TYPES)
    with pytest.raises(ShapeError, match="of this batch"):
        pool_by_event(attribution, Batch(batch.inputs, batch.label, event=batch.event[:, :3]), TYPES)
    with pytest.raises(SettingError, match="pooling is 'max'"):
        pool_by_event(attribution, batch, TYPES, "max")
    for method, target in (("gradient", "logit"), ("integrated_gradients", "log_probability")):
        with pytest.raises(UnsupportedError, match="published code has no"):
            pool_by_event(make_attribution(method, target)[0], batch, TYPES, compat="published")
