import torch

from perdure.core.random import normal, stream, sub_seeds, uniform


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
