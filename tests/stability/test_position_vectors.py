import pytest
import torch

from perdure.core.attribution import Attribution, Provenance
from perdure.core.batch import Batch
from perdure.core.errors import ShapeError
from perdure.stability.vectors import GRID, MOST, name_positions, pool_by_position


def make_attribution(values, method="gradient"):
    return Attribution(values, (), Provenance(method, {}, "logit", 0, {}, "", 1, 1))


@pytest.mark.parametrize(
    ("inputs", "values", "places"),
    [
        (torch.zeros(2, 7), torch.randn(2, 7), 7),
        (torch.zeros(2, 5, 3), torch.randn(2, 5, 3), 15),
        (torch.zeros(2, 100, 20), torch.randn(2, 100, 20), 12 * 20),
        (torch.zeros(2, 3, 400), torch.randn(2, 3, 400), 400),
        (torch.zeros(2, 6).long(), torch.randn(2, 6, 4), 6),
        (torch.zeros(2, 600).long(), torch.randn(2, 600, 4), 200),
        (torch.zeros(2, 3, 32, 20), torch.randn(2, 3, 32, 20), 8 * 7),
        (torch.zeros(2, 1, 5, 5), torch.randn(2, 1, 5, 5), 25),
    ],
    ids=["table", "series", "long series", "wide series", "text", "long text", "images", "small images"],
)
def test_every_kind_of_data_has_a_name_for_every_place(inputs, values, places):
    """Summed up, as attention is, nothing of a map is lost."""
    batch = Batch(inputs, torch.zeros(2).long())
    vectors = pool_by_position(make_attribution(values, "attention"), batch)
    assert vectors.values.shape == (2, places)
    assert len(set(name_positions(batch))) == places
    assert vectors.values.sum(1) == pytest.approx(values.flatten(1).sum(1), abs=1e-4)
    assert vectors.present.all()


def test_a_window_has_the_mean_of_its_valid_steps_and_padding_is_absent():
    steps = 2 * MOST
    mask = torch.arange(steps).expand(1, -1) < 3
    batch = Batch(torch.zeros(1, steps, 1), torch.zeros(1).long(), mask)
    values = torch.zeros(1, steps, 1)
    values[0, :4, 0] = torch.tensor([1.0, 3.0, 5.0, 9.0])
    vectors = pool_by_position(make_attribution(values), batch)
    assert vectors.values[0, :3].tolist() == [2.0, 5.0, 0.0]
    assert vectors.present[0].sum() == 2
    assert name_positions(batch)[1] == "steps 3 to 4, feature 1"


def test_a_cell_of_an_image_has_the_mean_of_its_pixels():
    values = torch.zeros(1, 2, 16, 16)
    values[0, :, 2, 5] = torch.tensor([6.0, 2.0])
    batch = Batch(torch.zeros(1, 2, 16, 16), torch.zeros(1).long())
    vectors = pool_by_position(make_attribution(values), batch)
    place = 1 * GRID + 2
    assert vectors.values[0, place] == 2.0
    assert vectors.values.sum() == 2.0
    assert name_positions(batch)[place] == "rows 3 to 4, columns 5 to 6"


def test_a_map_of_other_samples_is_named():
    with pytest.raises(ShapeError, match=r"\(2, 3\)"):
        pool_by_position(make_attribution(torch.zeros(2, 3)), Batch(torch.zeros(3, 3), torch.zeros(3).long()))
