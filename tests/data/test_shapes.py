import pytest
import torch

from perdure.core.errors import SettingError
from perdure.data import shapes
from perdure.data.shapes import CLASSES, REACH, Shapes
from tests.reference.shapes_loop import holds


def draw_batch(count=400, seed=0, **settings):
    return Shapes(**settings).draw(count, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", CLASSES)
def test_each_shape_is_that_of_the_reference_pixel_by_pixel(kind):
    places = torch.linspace(-2, 2, 41) + 0.003
    result = getattr(shapes, f"_{kind}")(places[None, :], places[:, None])
    assert result.tolist() == [[holds(kind, right, down, 1.0) for right in places.tolist()] for down in places.tolist()]


def test_shapes_of_one_size_have_the_same_area_and_reach():
    places = torch.linspace(-2, 2, 1001)
    for kind in CLASSES:
        inside = getattr(shapes, f"_{kind}")(places[None, :], places[:, None])
        assert inside.double().mean() * 16 == pytest.approx(torch.pi, rel=0.01)
        assert not inside[torch.hypot(places[None, :], places[:, None]) > REACH + 0.01].any()


def test_truth_is_one_whole_shape_in_every_channel():
    """Its area is that of a circle of the radius that was drawn, give or take the pixels of its edge."""
    batch = draw_batch()
    mask = batch.truth[:, 0]
    assert torch.equal(batch.truth, mask[:, None].expand_as(batch.inputs))
    fraction = mask.float().mean((1, 2))
    low, high = (torch.pi * radius**2 for radius in shapes.RADIUS)
    assert fraction.min() > 0.8 * low
    assert fraction.max() < 1.15 * high


def test_without_noise_and_strokes_the_truth_is_where_the_image_leaves_the_background():
    """The shape is of one colour, at least 0.4 from the middle of a background that varies by about 0.1."""
    batch = draw_batch(noise=0.0, strokes=0)
    for image, mask in zip(batch.inputs, batch.truth[:, 0], strict=True):
        inside, outside = image[:, mask], image[:, ~mask]
        assert (inside == inside[:, :1]).all()
        assert (outside != inside[:, :1]).any(0).all()


def test_strokes_lie_beneath_the_shape_and_around_it():
    """The colour of the shape is not broken by strokes; those that are drawn change the background alone."""
    batch = draw_batch(noise=0.0, strokes=20)
    for image, mask in zip(batch.inputs, batch.truth[:, 0], strict=True):
        assert (image[:, mask] == image[:, mask][:, :1]).all()


def test_colour_size_and_place_are_uninformative_about_the_class():
    """Means of the classes differ by no more than five standard errors, in 500 images of each."""
    batch = draw_batch(2000)
    mask = batch.truth[:, 0].float()
    place = torch.arange(32.0)
    given = torch.stack(
        [
            mask.mean((1, 2)),
            (mask * place).sum((1, 2)) / mask.sum((1, 2)),
            (mask * place[:, None]).sum((1, 2)) / mask.sum((1, 2)),
            *batch.inputs.mean((2, 3)).unbind(1),
        ],
        1,
    )
    means = torch.stack([given[batch.label == item].mean(0) for item in range(4)])
    error = given.std(0) / 500**0.5
    assert ((means - given.mean(0)).abs() < 5 * error).all()


def test_the_scene_scales_with_the_image():
    small, large = draw_batch(noise=0.0, strokes=0), draw_batch(noise=0.0, strokes=0, size=96)
    assert torch.equal(small.label, large.label)
    middle = large.truth[:, :, 1::3, 1::3]  # the middle of the nine pixels that a small one became
    assert torch.equal(middle, small.truth)


def test_classes_are_balanced_and_splits_do_not_depend_on_each_other():
    few, many = Shapes(train=8).load(0), Shapes(train=16).load(0)
    assert many.train.label.bincount().tolist() == [4] * 4
    assert torch.equal(few.test.inputs, many.test.inputs)
    assert few.features == 3
    assert few.train.inputs.abs().max() <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 31}, "size is 31.*32 or more"),
        ({"train": 0}, "fewer than one sample"),
        ({"strokes": -1}, "strokes is -1"),
        ({"noise": -0.1}, "noise is -0.1"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(SettingError, match=message):
        Shapes(**settings)
