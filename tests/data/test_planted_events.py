import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.planted_events import NO_EVENT, PlantedEvents
from tests.reference.planted_events_rule import label_and_truth


def draw_batch(count=200, seed=0, **settings):
    return PlantedEvents(**settings).draw(count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("settings", [{}, {"redundancy": 1}, {"redundancy": 3, "together": 3}, {"shortest": 6}])
def test_class_and_truth_follow_from_the_events(settings):
    batch = draw_batch(**settings)
    for x, label, truth in zip(batch.inputs, batch.label, batch.truth, strict=True):
        expected, sites = label_and_truth(x.tolist(), settings.get("redundancy", 2))
        assert label == expected
        assert truth.nonzero().tolist() == [list(site) for site in sites]


@pytest.mark.parametrize("redundancy", [1, 3])
def test_each_evidence_type_alone_is_enough(redundancy):
    """Every one of them occurs exactly once in all series of its class, and never in those of the other."""
    batch = draw_batch(redundancy=redundancy, shortest=20)
    seen = batch.inputs.sum(1)[:, : 2 * redundancy]
    owner = torch.arange(2 * redundancy) // redundancy
    assert torch.equal(seen, (owner == batch.label[:, None]).float())


@pytest.mark.parametrize(("correlation", "expected"), [(0.5, 0.5), (0.8, 0.8), (1.0, 1.0)])
def test_a_companion_agrees_with_the_class_as_often_as_requested(correlation, expected):
    """4000 series: a fraction of one half has a standard error of .008."""
    batch = draw_batch(4000, correlation=correlation)
    occurs = batch.inputs[..., 4:8].amax(1).bool()
    agrees = occurs == (torch.tensor([0, 0, 1, 1]) == batch.label[:, None])
    torch.testing.assert_close(agrees.float().mean(0), torch.full((4,), expected), atol=0.035, rtol=0)


def test_fillers_are_alike_in_both_classes():
    batch = draw_batch(4000)
    fraction = torch.stack([batch.inputs[batch.label == c][..., 8:].sum((0, 1)) for c in (0, 1)])
    fraction = fraction / fraction.sum(1, keepdim=True)
    torch.testing.assert_close(fraction, torch.full_like(fraction, 1 / 8), atol=0.01, rtol=0)


def test_places_of_the_evidence_are_spread_evenly_over_the_series():
    batch = draw_batch(4000, shortest=10, longest=10)
    fraction = batch.truth.any(2).float().mean(0)
    torch.testing.assert_close(fraction, torch.full((10,), 0.2), atol=0.03, rtol=0)


def test_event_is_the_channel_of_each_step_and_padding_has_none():
    batch = draw_batch()
    valid = batch.mask
    assert torch.equal(batch.event[valid], batch.inputs[valid].argmax(1))
    assert (batch.inputs[valid].sum(1) == 1).all()
    assert (batch.event[~valid] == NO_EVENT).all()
    assert (batch.inputs[~valid] == 0).all()
    assert (valid.sum(1).min(), valid.sum(1).max()) == (15, 25)


def test_events_of_one_time_share_a_step():
    batch = draw_batch(together=3)
    events = batch.inputs.sum(2)[batch.mask]
    assert (events.min(), events.max()) == (1, 3)
    assert batch.event is None


def test_test_samples_do_not_depend_on_the_number_of_training_samples():
    a, b = (PlantedEvents(train=count, test=5).load(0).test for count in (2, 9))
    assert torch.equal(a.inputs, b.inputs)


def test_a_wrong_setting_is_named():
    with pytest.raises(SettingError, match=r"correlation is 0\.4"):
        PlantedEvents(correlation=0.4)
    with pytest.raises(SettingError, match="has 15 events, but up to 18 are planted"):
        PlantedEvents(redundancy=6)
    with pytest.raises(SettingError, match="longest is 10"):
        PlantedEvents(longest=10)
    with pytest.raises(SettingError, match="together is 0"):
        PlantedEvents(together=0)


def test_types_have_the_names_of_their_roles():
    data = PlantedEvents(train=2, validation=1, test=1, redundancy=1, fillers=2)
    names = data.load(0).types
    assert names == (
        "negative evidence 1",
        "positive evidence 1",
        "negative companion 1",
        "positive companion 1",
        "filler 1",
        "filler 2",
    )
    assert [names[i] for i in data.important()[1].nonzero()[:, 0]] == ["positive evidence 1"]
