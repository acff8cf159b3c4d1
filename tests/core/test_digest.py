import torch
from torch import nn

from perdure.core.digest import model_digest


def test_a_changed_weight_changes_the_digest():
    model = nn.Linear(2, 1)
    before = model_digest(model)
    assert model_digest(model) == before
    with torch.no_grad():
        model.weight[0, 0] += 1
    assert model_digest(model) != before


def test_a_function_has_no_weights():
    assert model_digest(lambda x: x) == "none"
