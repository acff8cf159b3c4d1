import pytest
import torch

from perdure.ops.sequence import length_mask
from perdure.ops.texture import exchange, is_constant_within_positions, move, permute

LENGTHS = torch.tensor([6, 4, 1])
MASK = length_mask(LENGTHS, 6)
SERIES = torch.arange(36.0).reshape(3, 6, 2) + 100 * torch.arange(3.0)[:, None, None]
SEEDS = torch.tensor([3, 5, 7])


def rolls(rows):
    """All circular shifts of a list of positions, each with all circular shifts of its numbers."""
    turned = [[position[-c:] + position[:-c] for position in rows] for c in range(len(rows[0]))]
    return [item[s:] + item[:s] for item in turned for s in range(len(rows))]


def test_a_series_is_shifted_or_mirrored_within_its_valid_steps():
    for number, copy in enumerate(move(SERIES, MASK, SEEDS, 20)):
        for before, after, length in zip(SERIES, copy, LENGTHS.tolist(), strict=True):
            rows = before[:length].tolist()
            assert after[:length].tolist() in ([rows[::-1]] if number == 0 else rolls(rows))
            assert torch.equal(after[length:], before[length:])


def test_shifts_differ_while_there_are_enough_and_are_never_none():
    steps = SERIES[:1].mean(2, keepdim=True)
    firsts = [copy[0, 0, 0].item() for copy in move(steps, None, SEEDS[:1], 6)[1:]]
    assert len(set(firsts)) >= 4
    assert steps[0, 0, 0].item() not in firsts[:4]


def test_a_single_draw_is_a_mirror_image_for_half_of_the_samples():
    maps = torch.arange(5.0)[None, :, None].expand(400, -1, -1)
    mirrored = (move(maps, None, torch.arange(400), 1)[0] == maps.flip(1)).all(1).float()
    assert mirrored.mean().item() == pytest.approx(0.5, abs=0.1)


def test_an_image_is_mirrored_and_shifted_over_both_borders():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    copies = [copy.flatten().tolist() for copy in move(image, None, SEEDS[:1], 8)]
    mirrored = [image.flip(2), image.flip(3), image.flip(2, 3)]
    assert sorted(copies[:3]) == sorted(item.flatten().tolist() for item in mirrored)
    shifts = [torch.roll(image, (down, right), (2, 3)) for down in range(3) for right in range(4)][1:]
    assert all(copy in [item.flatten().tolist() for item in shifts] for copy in copies[3:])


@pytest.mark.parametrize("draw", [move, permute])
def test_a_draw_depends_on_its_sample_alone_and_not_on_padding(draw):
    whole = draw(SERIES, MASK, SEEDS, 4)
    for i in range(3):
        assert torch.equal(draw(SERIES[i : i + 1], MASK[i : i + 1], SEEDS[i : i + 1], 4)[:, 0], whole[:, i])
    longer = torch.cat([SERIES, torch.full((3, 3, 2), -1.0)], 1)
    padded = draw(longer, length_mask(LENGTHS, 9), SEEDS, 4)
    assert torch.equal(padded[:, :, :6], whole)
    assert (padded[:, :, 6:] == -1).all()


def test_a_permutation_keeps_the_units_of_the_map():
    coarse = SERIES.mean(2, keepdim=True).expand(-1, -1, 2)
    assert is_constant_within_positions(coarse, MASK).all()
    assert not is_constant_within_positions(SERIES, MASK).any()
    for copy in permute(coarse, MASK, SEEDS, 5):
        assert is_constant_within_positions(copy, MASK).all()
        assert torch.equal(copy.flatten(1).sort().values, coarse.flatten(1).sort().values)
    images = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1, -1)
    for copy in permute(images, None, SEEDS[:2], 5):
        assert torch.equal(copy[:, 0], copy[:, 2])
        assert not torch.equal(copy, images)


def test_maps_are_exchanged_within_a_group_at_the_same_fraction_of_the_length():
    group = torch.tensor([0, 0, 1])
    for copy in exchange(SERIES, MASK, group, SEEDS, 3):
        assert copy[1, :4].tolist() == SERIES[0, [0, 2, 3, 5]].tolist()
        assert copy[0].tolist() == SERIES[1, [0, 1, 1, 2, 3, 3]].tolist()
        assert torch.equal(copy[2], SERIES[2])
    images = torch.rand(6, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    for copy in exchange(images, None, torch.zeros(6).long(), torch.arange(6), 3):
        assert not any(torch.equal(after, before) for after, before in zip(copy, images, strict=True))
        assert sorted(copy.flatten(1).sum(1).tolist()) == pytest.approx(sorted(images.flatten(1).sum(1).tolist()))
