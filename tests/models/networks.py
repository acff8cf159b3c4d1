"""What all image networks keep to."""

import torch
from torch import nn


def on_meta(make):
    """Make a network without weights."""
    with torch.device("meta"):
        return make()


def shapes(model):
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def count(model):
    return sum(weight.numel() for weight in model.parameters())


def relus(model):
    return [(name, module) for name, module in model.named_modules() if isinstance(module, nn.ReLU)]


def runs_of_relus(model, x):
    """Count how often each ReLU runs in one prediction; none may work in place."""
    runs = dict.fromkeys((name for name, _ in relus(model)), 0)
    handles = []
    for name, module in relus(model):
        assert not module.inplace

        def count(_module, _args, _output, name=name):
            runs[name] += 1

        handles.append(module.register_forward_hook(count))
    model.eval()(x)
    for handle in handles:
        handle.remove()
    return runs
