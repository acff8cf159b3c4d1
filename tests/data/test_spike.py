"""Spike and Delayed Spike: labels from the first spike of the first feature."""

import math

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data import spike
from perdure.data.delayed_spike import DelayedSpike
from perdure.data.spike import Spike

SEEDS = torch.arange(300)


@pytest.mark.parametrize("delay", [0, 1, 4])
def test_labels_begin_at_the_first_spike_and_the_truth_is_that_element(delay):
    batch, spikes = Spike(delay=delay, task="steps").draw(SEEDS), spike._draw_spikes(SEEDS)
    for label, truth, row in zip(batch.label.tolist(), batch.truth, spikes[..., 0].tolist(), strict=True):
        begin = row.index(True) if True in row else 80
        assert label == [int(t >= begin + delay) for t in range(80)]
        assert truth.nonzero().tolist() == ([[begin, 0]] if begin + delay < 80 else [])
    assert torch.equal(Spike(delay=delay).draw(SEEDS).label, batch.label[:, -1])


def test_spikes_have_the_published_frequency_and_height():
    spikes = spike._draw_spikes(SEEDS)
    assert spikes.any(1).double().mean().item() == pytest.approx(0.3 * (1 - math.exp(-3)), abs=0.04)
    assert spikes.sum(1)[spikes.any(1)].double().mean().item() == pytest.approx(3 / (1 - math.exp(-3)), abs=0.2)
    x, smooth = Spike().draw(SEEDS).inputs, spike._draw_smooth(SEEDS).float()
    torch.testing.assert_close((x - smooth)[spikes], torch.full((int(spikes.sum()),), 1.5))
    torch.testing.assert_close(x[~spikes], smooth[~spikes])


def test_the_default_delays():
    assert Spike().delay == 0
    assert DelayedSpike().delay == 2
    facts = Spike(train=1, validation=1, test=100).measure_facts(0)
    assert facts.prevalence == pytest.approx(1 / 240)
    assert facts.base_rate > 0.6


@pytest.mark.parametrize("setting", [{"delay": -1}, {"delay": 80}, {"task": "changes"}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        Spike(**setting)
