import torch

from perdure.models._dropout import Dropout


def test_the_share_and_the_mean_are_right():
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        dropped = Dropout(0.1)(torch.ones(1000, 1001))
    assert abs((dropped == 0).double().mean().item() - 0.1) < 1e-3
    assert abs(dropped.double().mean().item() - 1.0) < 1e-3
    assert set(dropped.unique().tolist()) == {0.0, dropped.max().item()}


def test_sites_are_dropped_independently():
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        kept = (Dropout(0.5)(torch.ones(200_000, 4)) > 0).double()
    assert (torch.corrcoef(kept.T) - torch.eye(4)).abs().max() < 0.01


def test_evaluation_passes_the_input_on():
    x = torch.randn(3, 2)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_gradients_pass_where_sites_are_kept():
    x = torch.ones(50, 3, requires_grad=True)
    dropped = Dropout(0.5)(x)
    dropped.sum().backward()
    assert torch.equal(x.grad, dropped.detach())
