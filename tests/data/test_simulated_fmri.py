"""The truth is where the signal is: without noise it is all there is, and it comes after the blocks, not with them."""

import numpy as np
import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data._hcp.cortex import REGIONS
from perdure.data.simulated_fmri import BLOCK, RESPONDING, REST, SHARED, SimulatedFMRI, haemodynamic_response

SMALL = SimulatedFMRI(train=6, validation=1, test=1)


def test_the_response_is_the_canonical_one():
    """The densities by hand: t^5 e^-t / 5! and t^15 e^-t / 15!."""
    t = np.linspace(0, 30, 61)
    expected = t**5 * np.exp(-t) / 120 - t**15 * np.exp(-t) / 1307674368000 / 6
    np.testing.assert_allclose(haemodynamic_response(t), expected, atol=1e-12)
    assert (haemodynamic_response(np.array([-1.0, 0.0])) == 0).all()


def test_a_strong_answer_is_seen_at_true_sites_alone_and_late():
    """With an answer that drowns the noise, sites of the task alone rise where they are true, six seconds late."""
    batch = SimulatedFMRI(train=3, validation=1, test=1, effect=100.0).load(0).train
    for x, label, truth, event in zip(batch.inputs, batch.label, batch.truth, batch.event, strict=True):
        mine = torch.tensor([region[2:] in list(RESPONDING.values())[label] for region in REGIONS])
        both = mine | torch.tensor([region[2:] in SHARED for region in REGIONS])
        assert torch.equal(truth.any(0), mine)
        assert x[:, both].max(0).values.min() > 40  # a lasting response, of the weakest
        assert x[:, ~both].abs().max() < 7
        course, on = x[:, mine].mean(1), truth[:, mine].all(1)
        assert torch.equal(truth[:, mine].any(1), on)
        assert on[course > 20].all()
        assert not on[course < 5].any()
        lag = [float((course.roll(-k)[:80] * (event == 0)[:80].float()).mean()) for k in range(16)]
        assert 5 <= int(np.argmax(lag)) <= 9  # 3.6 to 6.5 seconds


def test_blocks_have_the_same_chances_in_every_task():
    event = SMALL.load(0).train.event
    starts = (event == 0).int().argmax(1)
    assert ((starts >= 0) & (starts < REST)).all()
    on = torch.stack([row[start : start + BLOCK] for row, start in zip(event, starts, strict=True)])
    assert (on == 0).all()


def test_a_subject_does_not_depend_on_the_others():
    few, many = SimulatedFMRI(train=2, validation=1, test=1).load(3).train, SMALL.load(3).train
    assert torch.equal(few.inputs, many.inputs[: len(few)])
    assert few.id == many.id[: len(few)]
    assert many.id[0] == "train-000-MOTOR"
    assert not torch.equal(few.inputs, SMALL.load(4).train.inputs[: len(few)])


def test_noise_has_its_variance_and_correlation():
    """With next to no answer and no drift, regions are noise of mean 0, variance 1, correlated by 0.4."""
    x = SimulatedFMRI(train=2, validation=1, test=1, steps=600, effect=1e-9, drift=0.0).load(0).train.inputs
    assert abs(x.mean()) < 0.01
    assert abs(x.var() - 1) < 0.01
    assert abs(x[:, 0].var() - 1) < 0.1  # from the first step on
    assert abs((x[:, 1:] * x[:, :-1]).mean() - 0.4) < 0.01


@pytest.mark.parametrize(("settings", "message"), [({"steps": 44}, "45 or more"), ({"effect": 0.0}, "effect is 0")])
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(SettingError, match=message):
        SimulatedFMRI(**settings)
