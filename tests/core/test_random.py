import torch

from perdure.core.random import child_seeds, normal, stream, sub_seeds, uniform


def test_streams_are_repeatable_and_unrelated():
    a, again, b = (torch.randn(4, generator=stream(0, name)) for name in ("a", "a", "b"))
    assert torch.equal(a, again)
    assert not torch.equal(a, b)


def test_the_global_state_is_left_alone():
    before = torch.random.get_rng_state()
    seeds = sub_seeds(stream(0), 3)
    normal(seeds, (2,), torch.zeros(1))
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_row_depends_on_its_seed_alone():
    seeds = sub_seeds(stream(0), 5)
    for draw in (normal, uniform):
        rows = draw(seeds, (3,), torch.zeros(1, dtype=torch.float64))
        assert rows.dtype == torch.float64
        assert torch.equal(draw(seeds[[3]], (3,), rows)[0], rows[3])


def test_more_steps_leave_the_first_ones_as_they_are():
    seeds = sub_seeds(stream(0), 2)
    for draw in (normal, uniform):
        for dtype in (torch.float32, torch.float64):
            short, long = (draw(seeds, (steps, 3), torch.zeros(1, dtype=dtype)) for steps in (5, 90))
            assert torch.equal(long[:, :5], short)


def test_normal_noise_is_normal():
    noise = normal(sub_seeds(stream(0), 4), (20_000,), torch.zeros(1, dtype=torch.float64)).flatten()
    moments = [noise.pow(power).mean().item() for power in (1, 2, 3, 4)]
    assert all(abs(result - known) < 0.1 for result, known in zip(moments, (0, 1, 0, 3), strict=True))  # four errors


def test_children_of_a_seed_are_unrelated_and_of_that_sample_alone():
    seeds = sub_seeds(stream(0), 3)
    children = child_seeds(seeds, 0)
    assert torch.equal(child_seeds(seeds[1:2], 0), children[1:2])
    assert len({*seeds.tolist(), *children.tolist(), *child_seeds(seeds, 1).tolist()}) == 9
