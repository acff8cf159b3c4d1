import pytest
import torch

from perdure.core.errors import DataError, SettingError
from perdure.metrics._evaluate import evaluate
from perdure.metrics.hit_rate import HitRate
from tests.metrics.attributions import known_maps, patch, series, trial_of
from tests.reference import place_loop

TRUTH = patch()
SHARE = TRUTH.double().mean().item()


@pytest.mark.parametrize(
    ("kind", "known"), [("perfect", 1.0), ("inverted", 0.0), ("constant", SHARE), ("zero", SHARE), ("random", SHARE)]
)
def test_calibration(kind, known):
    values = HitRate().measure(trial_of(known_maps(TRUTH)[kind], TRUTH)).values
    tolerance = (
        0.02 if kind == "random" else 1e-6
    )  # the mean over 8 x 100 true pixels has a standard deviation near 0.01
    assert values.mean().item() == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("absolute", [True, False])
def test_equals_the_loop(levels, absolute):
    values, truth, mask = series(2, levels)
    expected = [place_loop.hit_rate(*row) for row in place_loop.position_rows(values, truth, mask, absolute)]
    measured = HitRate(absolute).measure(trial_of(values, truth, mask)).values
    assert measured.tolist() == pytest.approx(expected, abs=1e-12)


def test_planted_tokens_by_hand():
    """Two of five tokens are planted; the signed sums of their embeddings rank one of them second."""
    sums = torch.tensor([5.0, 0.5, -4.0, 1.0, 0.0])
    values = torch.stack([sums + 7, torch.full((5,), -7.0)], 1)[None]
    truth = torch.tensor([False, False, True, True, False])[None, :, None].expand(1, 5, 2)
    assert HitRate().measure(trial_of(values, truth)).values.item() == 0.5
    assert HitRate(absolute=False).measure(trial_of(values, truth)).values.item() == 0.5
    by_element = HitRate(granularity="element").measure(trial_of(values, truth)).values.item()
    assert by_element == pytest.approx((1 + 2 / 6) / 4)  # 12, 8 and 7.5 are in; six sevens share the last place


def test_a_truth_of_all_positions_is_refused_though_some_elements_are_false():
    truth = torch.tensor([[[True, False], [False, True]]])
    with pytest.raises(DataError, match=r"2 of the 2 valid positions of sample 0.*granularity='element'"):
        evaluate(trial_of(torch.rand(1, 2, 2), truth), "hit_rate")
    assert evaluate(trial_of(truth.float(), truth), "hit_rate:granularity=element").values.item() == 1.0


def test_an_unknown_granularity_is_refused():
    with pytest.raises(SettingError, match="granularity"):
        HitRate(granularity="pixel")
