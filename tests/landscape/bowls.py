"""Surfaces with known barriers, over points of two weights; one sample, or several that are shifted by a constant."""

from dataclasses import dataclass

import torch


def point(x, y):
    """In two tensors, so that nothing depends on there being one."""
    return {"x": torch.tensor([x], dtype=torch.float64), "y": torch.tensor([[y]], dtype=torch.float64)}


@dataclass(frozen=True)
class Formula:
    """A loss written as a function of x and y."""

    function: object
    shifts: tuple[float, ...] = (0.0,)

    @property
    def size(self):
        return len(self.shifts)

    def losses(self, params):
        value = self.function(params["x"].sum(), params["y"].sum())
        return value + torch.tensor(self.shifts, dtype=torch.float64)

    def gradient(self, params, rows=None):
        leaves = {name: weight.clone().requires_grad_() for name, weight in params.items()}
        result = torch.autograd.grad(self.losses(leaves).mean(), list(leaves.values()), materialize_grads=True)
        return dict(zip(params, result, strict=True))


BOWL = Formula(lambda x, y: x**2 + 4 * y**2)
RING = Formula(lambda x, y: 10 * ((x**2 + y**2).sqrt() - 1) ** 2)
"""A valley along the unit circle, of loss zero."""
PASS = Formula(lambda x, y: (x**2 - 1) ** 2 + 5 * (y - (1 - x**2)) ** 2)
"""Two valleys at (-1, 0) and (1, 0), with a pass of height 1 at (0, 1) between them; straight on it is 6."""
