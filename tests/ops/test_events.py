import torch

from perdure.ops.events import event_counts, event_sums


def test_sums_of_all_types_are_the_sum_over_typed_valid_steps():
    draw = torch.Generator().manual_seed(0)
    steps = torch.randn(5, 9, generator=draw, dtype=torch.float64)
    event = torch.randint(-1, 4, (5, 9), generator=draw)
    mask = torch.arange(9) < torch.tensor([9, 7, 3, 1, 5])[:, None]
    typed = (steps * (mask & (event >= 0))).sum(1)
    torch.testing.assert_close(event_sums(steps, event, 4, mask).sum(1), typed, rtol=0, atol=1e-14)
    assert torch.equal(event_counts(event, 4, mask).sum(1), (mask & (event >= 0)).sum(1).float())


def test_untyped_and_padded_steps_may_hold_anything():
    steps, event = torch.tensor([[1.0, torch.nan, torch.inf]]), torch.tensor([[0, -1, 0]])
    assert event_sums(steps, event, 2, torch.tensor([[True, True, False]])).tolist() == [[1.0, 0.0]]
