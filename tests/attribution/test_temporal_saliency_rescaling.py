import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.attribution.temporal_saliency_rescaling import TemporalSaliencyRescaling
from perdure.core.errors import SettingError, UnknownNameError, UnsupportedError
from perdure.core.query import Query
from perdure.core.registry import METHODS
from perdure.core.spec import format_spec
from perdure.core.target import Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import Linear, Opaque, perceptron, recurrent, stream
from tests.reference.temporal_loop import temporal_saliency_rescaling

LABEL = torch.tensor([0, 1, 2])
X = torch.randn(3, 9, 4, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([9, 6, 8])


@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("base", ["gradient", "integrated_gradients:steps=4", "occlusion"])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("make", [recurrent, lambda: Opaque().eval()])
def test_a_loop_over_steps_and_cells_agrees(variant, base, lengths, make):
    model = make().double()
    query = Query(model, X, Logit(LABEL), None if lengths is None else length_mask(lengths, 9))
    result = TemporalSaliencyRescaling(base, variant, baseline="mean").scores(query)
    start = baseline_of("mean", query)
    for i, n in enumerate([9] * 3 if lengths is None else lengths.tolist()):
        explain = lambda p, i=i: attribute(model, p[None], base, target=LABEL[i : i + 1]).values[0]  # noqa: E731
        expected = temporal_saliency_rescaling(explain, X[i, :n], start[i, :n], 0.55, variant == "paper")
        torch.testing.assert_close(result[i, :n], expected)


def test_a_map_that_does_not_change_gives_zero_and_not_scaled_rounding():
    result = attribute(Linear(9, 4), X[:2] * 1e3, "temporal_saliency_rescaling", target=LABEL[:2])
    assert not result.values.any()


def test_the_passes_are_batched_and_counted():
    x = X[:1]
    result = attribute(recurrent().double(), x, "temporal_saliency_rescaling", target=0)
    assert result.provenance.backward == 1 + 9 + 4 * 4


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"variant": "other"}, SettingError),
        ({"quantile": 1.5}, SettingError),
        ({"base": "input_iba"}, SettingError),
        ({"base": "gradiant"}, UnknownNameError),
    ],
)
def test_settings_that_cannot_be_used(settings, error):
    with pytest.raises(error):
        TemporalSaliencyRescaling(**settings)


def test_a_base_with_settings_is_written_in_quotes_and_read_back():
    made = METHODS.make("temporal_saliency_rescaling:base='integrated_gradients:steps=4,baseline=mean',variant=paper")
    assert made == TemporalSaliencyRescaling("integrated_gradients:steps=4,baseline=mean", "paper")
    assert METHODS.make(format_spec(made)) == made
    with pytest.raises(SettingError, match="in quotes"):
        METHODS.make("temporal_saliency_rescaling:base=integrated_gradients:steps=4")


def test_a_table_is_a_named_error():
    with pytest.raises(UnsupportedError, match="explains series"):
        attribute(perceptron(), torch.ones(2, 5), "temporal_saliency_rescaling", target=0)
