"""FreqShapes, against a literal spike-by-spike rule."""

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.freq_shapes import FreqShapes


def spike_steps(first, period, steps=50):
    """The steps of all spikes that fit, and how many there are."""
    centres = [c for c in range(first, steps, period) if c >= 1 and c + 1 < steps]
    return {c + side for c in centres for side in (-1, 0, 1)}, len(centres)


def test_every_sample_is_a_train_of_whole_spikes():
    batch = FreqShapes(as_published="code").draw(torch.arange(80))
    for x, label, truth in zip(batch.inputs[..., 0], batch.label.tolist(), batch.truth[..., 0], strict=True):
        period, sign = (10, 10, 17, 17)[label], (-1, 1, -1, 1)[label]
        where = set(truth.nonzero()[:, 0].tolist())
        assert any(where == spike_steps(first, period)[0] for first in range(50 - period))
        assert abs(x[truth].mean() * sign - 5.5 / 3) < 0.5
        assert x[~truth].std() < 0.4


@pytest.mark.parametrize(("period", "prevalence", "single"), [(10, 0.2025, 0.025), (17, 0.1436, 0.0303)])
def test_prevalence_and_single_spikes_of_the_published_draw(period, prevalence, single):
    """By enumeration over the first centre, as the samples have them."""
    rows = [spike_steps(first, period) for first in range(50 - period)]
    assert sum(len(row) for row, _ in rows) / len(rows) / 50 == pytest.approx(prevalence, abs=1e-4)
    assert sum(count == 1 for _, count in rows) / len(rows) == pytest.approx(single, abs=1e-4)
    batch = FreqShapes(as_published="code").draw(torch.arange(1200))
    mine = batch.truth[(batch.label // 2) == (period == 17)].double()
    assert mine.mean().item() == pytest.approx(prevalence, abs=0.006)
    assert (mine.sum((1, 2)) == 3).double().mean().item() == pytest.approx(single, abs=0.025)


def test_at_least_two_spikes_are_inside_by_default():
    assert (FreqShapes().draw(torch.arange(600)).truth.sum((1, 2)) >= 6).all()


def test_facts_and_settings():
    facts = FreqShapes(train=1, validation=1, test=40).measure_facts(0)
    assert facts.base_rate == 0.25
    assert facts.ideal_accuracy is None
    with pytest.raises(SettingError, match="as_published"):
        FreqShapes(as_published="paper")
