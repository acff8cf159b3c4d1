"""Calls of a model, and what goes wrong in them by name."""

import pytest
import torch
from torch import nn

from perdure.attribution._attribute import attribute
from perdure.core.call import call_model
from perdure.core.errors import UnsupportedError
from tests.cases import stream


class Categories(nn.Module):
    """Reads a number and a category, which it looks up."""

    def __init__(self, look_up):
        super().__init__()
        self.table, self.head = nn.Embedding(5, 3), nn.Linear(4, 2)
        self.look_up = look_up

    def forward(self, x):
        return self.head(torch.cat([x[..., :1], self.look_up(self.table, x[..., 1].long())], 2).mean(1))


LOOK_UPS = {
    "embedding": lambda table, numbers: table(numbers),
    "index": lambda table, numbers: table.weight[numbers],
    "one-hot": lambda table, numbers: nn.functional.one_hot(numbers, 5).float() @ table.weight,
}


@pytest.mark.parametrize("method", ["smooth_grad:noise=2.0", "gradient_shap:noise=9.0"])
@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_categories_that_noise_moves_out_of_their_table_are_named(method, look_up):
    numbers = torch.randint(0, 5, (4, 6, 1), generator=stream()).float()
    x = torch.cat([torch.randn(4, 6, 1, generator=stream()), numbers], 2)
    model = Categories(LOOK_UPS[look_up])
    with pytest.raises(
        UnsupportedError, match=r"places in a table, and one lies outside.*perdure.Adapted\(model, given"
    ):
        attribute(model, x, method, target=1)


def test_the_data_and_side_inputs_are_not_written_to():
    def forward(x, side):
        side += 1
        return (x.mul_(2) * side).sum(1, keepdim=True)

    x, side = torch.ones(2, 3), torch.ones(2, 1)
    assert call_model(forward, x, side={"side": side}).tolist() == [[12.0], [12.0]]
    assert (x.unique().tolist(), side.unique().tolist()) == ([1.0], [1.0])
