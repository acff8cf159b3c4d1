import numpy as np
import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.feature_ablation import FeatureAblation
from perdure.core.errors import SettingError, ShapeError, UnsupportedError
from perdure.core.query import Query
from perdure.core.registry import METHODS
from perdure.core.target import Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import Opaque, perceptron, recurrent, stream

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 6, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 2, 4])
NUMBERS = torch.randint(5, (6, 4), generator=stream(1))
GROUPS = {
    "element": torch.arange(24).reshape(6, 4),
    "step": torch.arange(6)[:, None].expand(6, 4),
    "feature": torch.arange(4).expand(6, 4),
}


@pytest.mark.parametrize("groups", [*GROUPS, NUMBERS, torch.tensor([7, 7, 2, 2])])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("make", [recurrent, lambda: Opaque().eval()])
def test_a_loop_over_groups_agrees(groups, lengths, make):
    model = make().double()
    query = Query(model, X, Logit(LABEL), None if lengths is None else length_mask(lengths, 6))
    result, start = FeatureAblation(groups, "mean").scores(query), baseline_of("mean", query)
    numbers = GROUPS[groups] if isinstance(groups, str) else groups.expand(6, 4)
    for i, n in enumerate([6] * 3 if lengths is None else lengths.tolist()):
        for group in numbers[:n].unique():
            where = numbers[:n] == group
            points = torch.stack([X[i, :n], X[i, :n].where(~where, start[i, :n])])
            whole, without = model(points)[:, LABEL[i]].detach()
            torch.testing.assert_close(result[i, :n][where], (whole - without).expand(int(where.sum())))


def test_groups_are_read_from_a_file_and_written_to_the_record(tmp_path):
    np.save(tmp_path / "groups.npy", NUMBERS.numpy())
    made = METHODS.make(f"feature_ablation:groups={tmp_path}/groups.npy")
    result = attribute(recurrent().double(), X, made, target=LABEL)
    again = METHODS.make("feature_ablation", result.provenance.fields)
    torch.testing.assert_close(attribute(recurrent().double(), X, again, target=LABEL).values, result.values)


def test_bad_groups_are_named_errors():
    with pytest.raises(SettingError, match="groups"):
        FeatureAblation("steps")
    with pytest.raises(SettingError, match="groups"):
        FeatureAblation([0.5, 1])
    with pytest.raises(ShapeError, match=r"\(3,\)"):
        attribute(recurrent().double(), X, FeatureAblation([0, 1, 2]), target=LABEL)
    with pytest.raises(UnsupportedError, match="no steps"):
        attribute(perceptron(), torch.ones(2, 5), FeatureAblation("step"), target=0)
    with pytest.raises(SettingError, match="30000 groups"):
        attribute(lambda x: x.sum((2, 3)), torch.ones(1, 3, 100, 100), "feature_ablation", target=0)
