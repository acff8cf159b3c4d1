"""SeqComb and LowVar: segments at their places, with the direction or the level of their class."""

import math

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data import seq_comb
from perdure.data.low_var import LowVar
from perdure.data.seq_comb import SeqComb

SEEDS = torch.arange(40)


def segments(row):
    """The first step and length of each run of true steps."""
    result, begin = [], None
    for t, inside in enumerate([*row.tolist(), False]):
        if inside and begin is None:
            begin = t
        if not inside and begin is not None:
            result.append((begin, t - begin))
            begin = None
    return result


def test_a_segment_is_the_literal_formula():
    after = torch.arange(20)[None] - 4
    low, high = torch.tensor([-0.2]), torch.tensor([0.6])
    for rises in (True, False):
        given = seq_comb._draw_segment(after, torch.tensor([11]), torch.tensor([7]), torch.tensor([rises]), [low, high])
        a, b = (-5 * 0.2, 5 * 0.6) if rises else (5 * 0.6, -5 * 0.2)
        expected = [(b - a) / 11 * u + math.sin(7 * u) for u in range(-(11 // 2), math.ceil(11 / 2))]
        assert given[0, 4:15].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("variant", "features", "prevalence"), [("univariate", 1, 0.145), ("multivariate", 4, 0.055)])
def test_two_segments_rise_or_fall_with_the_class(variant, features, prevalence):
    batch = SeqComb(variant=variant).draw(SEEDS)
    assert batch.inputs.shape == (40, 200, features)
    assert batch.label.bincount().tolist() == [10] * 4
    shortest, longest = seq_comb.LENGTHS[variant]
    for x, label, truth in zip(batch.inputs, batch.label.tolist(), batch.truth, strict=True):
        places = [(f, *run) for f in range(features) for run in segments(truth[:, f])]
        if label == 0:
            assert not places
            continue
        if len(places) == 1:  # two that touch
            assert variant == "univariate"
            continue
        assert len({f for f, _, _ in places}) == (1 if variant == "univariate" else 2)
        slopes = []
        for feature, start, length in sorted(places, key=lambda place: place[1]):
            assert shortest <= length <= longest
            values = x[start : start + length, feature]
            slopes.append(values[length // 2 :].mean() > values[: length // 2].mean())
        assert slopes == {1: [False, False], 2: [True, True], 3: [True, False]}[label]
    assert batch.truth[batch.label > 0].double().mean().item() == pytest.approx(prevalence, abs=0.01)


def test_low_var_has_a_calm_segment_on_the_feature_and_level_of_its_class():
    batch = LowVar().draw(SEEDS)
    assert batch.inputs.shape == (40, 200, 2)
    for x, label, truth in zip(batch.inputs, batch.label.tolist(), batch.truth, strict=True):
        assert not truth[:, 1 - label // 2].any()
        ((start, length),) = segments(truth[:, label // 2])
        assert 10 <= length <= 19
        assert 20 <= start <= 159
        values = x[truth]
        assert values.mean().item() == pytest.approx(1.5 if label % 2 else -1.5, abs=0.2)
        assert values.std() < 0.2
        assert x[~truth].std() > 0.7
    facts = LowVar(train=1, validation=1, test=80).measure_facts(0)
    assert facts.prevalence == pytest.approx(14.5 / 400, abs=0.003)


def test_published_noise_is_another_process():
    for kind in (SeqComb, LowVar):
        documented, code = kind().draw(SEEDS[:2]), kind(as_published="code").draw(SEEDS[:2])
        assert torch.equal(documented.truth, code.truth)
        assert not torch.equal(documented.inputs, code.inputs)
        with pytest.raises(SettingError, match="as_published"):
            kind(as_published="paper")
    with pytest.raises(SettingError, match="variant"):
        SeqComb(variant="uv")
