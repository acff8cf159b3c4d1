"""The seventy sets: places of the boxes, processes, and the ideal predictor."""

from typing import get_args

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data._box_places import Family
from perdure.data._processes import Process, draw_process, draw_times
from perdure.data.temporal_boxes import TemporalBoxes

SEEDS = torch.arange(40)

PLACES = {  # steps, features, first step and first feature of class 0, and of class 1; None where they vary
    "middle": (30, 30, (10, 10), (10, 10)),
    "small_middle": (14, 14, (18, 18), (18, 18)),
    "moving_middle": (30, 30, (None, None), (None, None)),
    "moving_small_middle": (15, 15, (None, None), (None, None)),
    "rare_time": (6, 40, (22, 5), (22, 5)),
    "moving_rare_time": (6, 40, (None, None), (None, None)),
    "rare_feature": (40, 6, (5, 22), (5, 22)),
    "moving_rare_feature": (40, 6, (None, None), (None, None)),
    "position_of_time": (20, 20, (29, None), (1, None)),
    "position_of_features": (20, 20, (None, 29), (None, 1)),
}


def test_there_are_seventy():
    assert len(get_args(Family)) * len(get_args(Process)) == 70
    assert set(get_args(Family)) == set(PLACES)


@pytest.mark.parametrize("family", PLACES)
def test_the_truth_is_the_box_of_the_table(family):
    height, width, *starts = PLACES[family]
    batch = TemporalBoxes(family=family).draw(SEEDS)
    firsts = [set(), set()]
    for label, truth in zip(batch.label.tolist(), batch.truth, strict=True):
        steps, features = truth.any(1).nonzero()[:, 0], truth.any(0).nonzero()[:, 0]
        assert (len(steps), len(features), int(truth.sum())) == (height, width, height * width)
        first = (int(steps[0]), int(features[0]))
        for axis, (given, expected) in enumerate(zip(first, starts[label], strict=True)):
            assert given == expected if expected is not None else 0 <= given < 50 - (height, width)[axis]
        firsts[label].add(first)
    for label in (0, 1):
        assert (len(firsts[label]) > 1) == (None in starts[label])


@pytest.mark.parametrize("family", ["middle", "rare_time", "position_of_time"])
@pytest.mark.parametrize("process", ["box", "harmonic"])
def test_the_box_is_replaced_in_noise_and_added_to_processes(family, process):
    batch = TemporalBoxes(family=family, process=process).draw(SEEDS)
    x = batch.inputs if process == "box" else batch.inputs - draw_process(process, SEEDS, published=False).float()
    width = 1.0 if process == "box" else 0.3
    for label, level in ((0, -1.0), (1, 1.0)):
        mine = batch.label == label
        inside = x[mine][batch.truth[mine]]
        assert inside.mean().item() == pytest.approx(1.0 if family == "position_of_time" else level, abs=0.1)
        assert inside.std().item() == pytest.approx(width, rel=0.05)
    assert x[~batch.truth].mean().item() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("family", ["middle", "moving_small_middle", "moving_rare_time", "position_of_features"])
def test_the_ideal_predictor_of_the_noise_is_right(family):
    facts = TemporalBoxes(train=1, validation=1, test=40, family=family).measure_facts(0)
    assert facts.ideal_accuracy == 1.0
    assert facts.base_rate == 0.5
    assert TemporalBoxes(process="narma").ideal() is None


def test_the_ideal_predictor_is_the_ratio_of_likelihoods():
    data = TemporalBoxes(family="position_of_time")
    batch = data.draw(SEEDS[:2])
    normal, x = torch.distributions.Normal(0.0, 1.0), batch.inputs.double()
    likelihood = []
    for start in (29, 1):
        every = []
        for feature in range(30):
            mean = torch.zeros(50, 50)
            mean[start : start + 20, feature : feature + 20] = 1
            every.append(normal.log_prob(x - mean).sum((1, 2)))
        likelihood.append(torch.stack(every).logsumexp(0))
    logits = data.ideal()(x)
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], likelihood[1] - likelihood[0], atol=1e-6, rtol=1e-6)


def test_times_are_irregular_and_ascending():
    times = draw_times(SEEDS)
    assert (times.diff(dim=1) >= 0).all()
    assert -1 < times.min() < 2
    assert 18 < times.max() < 21


@pytest.mark.parametrize(
    ("process", "mean", "spread"),
    [("pseudo_periodic", None, 0.79), ("gaussian_process", 0, 1.0), ("autoregressive", 0, 1.1), ("narma", 0.4, None)],
)
def test_moments_of_the_processes(process, mean, spread):
    x = draw_process(process, SEEDS, published=False)[:, 5:]
    assert x.isfinite().all()
    if mean is not None:
        assert x.mean().item() == pytest.approx(mean, abs=0.12)
    if spread is not None:
        assert x.std().item() == pytest.approx(spread, abs=0.1)


def test_recursions_of_the_autoregressive_processes():
    x, times = draw_process("continuous", SEEDS, published=False), draw_times(SEEDS)[..., None]
    keep = 0.9 ** times.diff(dim=1)
    noise = (x[:, 1:] - keep * x[:, :-1]) / (0.01 * (1 - keep).sqrt())
    assert noise.std().item() == pytest.approx(1, abs=0.02)
    x = draw_process("autoregressive", SEEDS, published=False)
    assert (x[:, 1:] - 0.9 * x[:, :-1]).std().item() == pytest.approx(0.5, abs=0.01)


def test_the_published_narma_has_one_input_for_everything():
    x = draw_process("narma", SEEDS, published=True)
    assert (x == x[:1, :, :1]).all()
    assert not (draw_process("narma", SEEDS, published=False)[0, :, 0] == x[0, :, 0]).all()


@pytest.mark.parametrize("setting", [{"family": "late"}, {"process": "noise"}, {"as_published": "paper"}])
def test_settings_that_cannot_be_used(setting):
    with pytest.raises(SettingError, match=next(iter(setting))):
        TemporalBoxes(**setting)
