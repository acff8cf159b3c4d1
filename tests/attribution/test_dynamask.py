import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.dynamask import Dynamask
from perdure.core.errors import SettingError, UnsupportedError
from perdure.core.query import Query
from perdure.core.target import Logit
from perdure.ops.sequence import length_mask
from tests.cases import perceptron, recurrent, stream
from tests.reference.temporal_loop import dynamask

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 6, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([6, 1, 4])


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_a_loop_over_samples_and_areas_agrees(lengths):
    model = recurrent().double()
    query = Query(model, X, Logit(LABEL), None if lengths is None else length_mask(lengths, 6))
    result = Dynamask((0.2, 0.5), steps=15, smoothness=0.3).scores(query)
    for i, n in enumerate([6] * 3 if lengths is None else lengths.tolist()):
        function = lambda p, i=i: model(p[None])[0, LABEL[i]]  # noqa: E731
        expected = dynamask(function, X[i, :n], (0.2, 0.5), 15, 0.3, 0.1)
        torch.testing.assert_close(result[i, :n], expected)


def test_the_cells_that_decide_are_kept():
    x = torch.randn(2, 20, 5, generator=stream()) + 3
    function = lambda p: (p[:, 7:10, 2] ** 2).sum(1, keepdim=True)  # noqa: E731
    result = attribute(function, x, Dynamask(areas=(0.03, 0.2)), target=lambda outputs: outputs[:, 0]).values
    truth = torch.zeros(2, 20, 5, dtype=torch.bool)
    truth[:, 7:10, 2] = True
    assert result[truth].min() > 0.9
    assert result[~truth].max() < 0.1


def test_bad_input_is_a_named_error():
    with pytest.raises(UnsupportedError, match="explains series"):
        attribute(perceptron(), torch.ones(2, 5), "dynamask", target=0)
    for settings in ({"areas": ()}, {"areas": (0.5, 0.1)}, {"areas": (0.5, 1.0)}, {"smoothness": -1}, {"steps": 0}):
        with pytest.raises(SettingError):
            Dynamask(**settings)
