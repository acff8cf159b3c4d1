from statistics import NormalDist
from typing import get_args

import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data.boxes import Boxes, Variant
from tests.reference.boxes_loop import box_cells

VARIANTS = get_args(Variant)
FIXED = [name for name in VARIANTS if name not in ("mixed", "moving")]


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("size", [20, 100])
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_truth_is_a_box_of_the_table_and_all_of_them_occur(variant, size):
    cells = torch.tensor(box_cells(variant, size))
    truth = Boxes(variant, size=size).draw(60, stream()).truth
    same = (truth[:, None] == cells).all(-1).all(-1)
    assert same.any(1).all()
    assert same.any(0).all()


@pytest.mark.parametrize("signal", ["published", "necessary"])
@pytest.mark.parametrize("variant", FIXED)
def test_the_mean_is_shifted_inside_the_box_only_and_with_the_class(variant, signal):
    boxes = Boxes(variant, signal, size=20)
    batch = boxes.draw(4000, stream())
    for label, sign in ((0, -1), (1, 1)):
        of = batch.label == label
        inside, outside = batch.inputs[of][batch.truth[of]], batch.inputs[of][~batch.truth[of]]
        assert abs(inside.mean() - sign * boxes.mean) < 5 * len(inside) ** -0.5
        assert abs(outside.mean()) < 5 * len(outside) ** -0.5
        assert abs(inside.var() - 1) < 5 * (2 / len(inside)) ** 0.5


def test_published_sizes_and_names():
    splits = Boxes().load(0)
    assert [tuple(part.inputs.shape) for part in (splits.train, splits.validation, splits.test)] == [
        (1000, 100, 100),
        (200, 100, 100),
        (300, 100, 100),
    ]
    assert splits.classes == ("negative", "positive")
    assert splits.test.id[7] == "test-000007"
    assert splits.train.label.bincount().tolist() == [500, 500]


def test_strength_of_the_necessary_signal():
    assert Boxes("earlier", "necessary").mean == pytest.approx(0.04, abs=1e-4)  # 1.96 / sqrt(2400)
    assert Boxes("middle", "necessary").mean == pytest.approx(1.959964 / 60, abs=1e-7)
    assert Boxes("earlier").bayes_accuracy() == 1.0


@pytest.mark.parametrize("variant", FIXED)
def test_the_sign_of_the_sum_over_the_box_reaches_the_bayes_accuracy(variant):
    boxes = Boxes(variant, "necessary", size=20)
    batch = boxes.draw(4000, stream(1))
    right = ((batch.inputs * batch.truth).sum((1, 2)) > 0) == (batch.label == 1)
    assert boxes.bayes_accuracy() == pytest.approx(0.975)
    assert abs(right.float().mean() - 0.975) < 4 * (0.975 * 0.025 / 4000) ** 0.5


def test_half_of_the_box_is_not_enough_for_the_bayes_accuracy():
    boxes = Boxes("middle", "necessary", size=20)
    batch = boxes.draw(4000, stream(2))
    half = (batch.inputs * batch.truth)[:, :10].sum((1, 2)) > 0
    expected = NormalDist().cdf(NormalDist().inv_cdf(0.975) * 0.5**0.5)  # .917
    assert (half == (batch.label == 1)).float().mean() == pytest.approx(expected, abs=0.02)


def test_other_splits_do_not_change_the_test_samples():
    few, many = Boxes(train=1, size=20).load(5).test, Boxes(train=50, size=20).load(5).test
    assert torch.equal(few.inputs, many.inputs)


@pytest.mark.parametrize("variant", ["mixed", "moving"])
def test_hidden_boxes_have_no_necessary_signal_and_no_closed_form(variant):
    with pytest.raises(SettingError, match=rf"'{variant}' the box of a sample is hidden.*Remedy: .*three_middle"):
        Boxes(variant, "necessary")
    with pytest.raises(SettingError, match="a Bayes accuracy in closed form needs one fixed box"):
        Boxes(variant).bayes_accuracy()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"variant": "late"}, "no variant of the boxes is called 'late'.*earlier or middle"),
        ({"signal": "weak"}, "no signal of the boxes is called 'weak'.*published or necessary"),
        ({"test": 0}, "fewer than one sample"),
        ({"size": 50}, "size is 50.*multiple of 20"),
        ({"size": 0}, "size is 0"),
    ],
)
def test_settings_out_of_range(setting, message):
    with pytest.raises(SettingError, match=message):
        Boxes(**setting)
