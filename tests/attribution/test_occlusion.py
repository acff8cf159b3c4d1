import pytest
import torch
from captum.attr import Occlusion as Captum

from perdure.attribution._attribute import attribute
from perdure.attribution.occlusion import Occlusion
from perdure.core.errors import SettingError
from perdure.core.query import Query
from perdure.core.registry import METHODS
from perdure.core.target import Logit
from perdure.ops.baseline import baseline_of
from perdure.ops.sequence import length_mask
from tests.cases import CopiesStep, Linear, Opaque, convolutional, recurrent, stream
from tests.reference.occlusion import occlusion

LABEL = torch.tensor([0, 1, 1, 0])
SERIES = torch.randn(4, 9, 4, generator=stream(), dtype=torch.float64)
IMAGES = torch.randn(4, 2, 6, 5, generator=stream(), dtype=torch.float64)
LENGTHS = torch.tensor([9, 6, 1, 2])
WINDOWS = [((1, 4), (1, 4)), ((3, 4), (2, 4)), ((4, 2), (3, 1)), ((2, 3), (2, 2)), ((9, 4), (9, 4))]


def test_on_a_linear_model_single_sites_are_what_they_add():
    model = Linear(9, 4)
    result = attribute(model, SERIES, Occlusion(window=(1, 1)), target=LABEL)
    torch.testing.assert_close(result.values, SERIES * model.weight[LABEL].detach())
    assert (result.provenance.forward, result.provenance.backward) == (4 * (1 + 36), 0)


def test_a_copied_step_is_the_only_one_that_matters():
    result = attribute(CopiesStep(3), SERIES, "occlusion", target=torch.zeros(4, dtype=torch.long)).values
    torch.testing.assert_close(result[:, 3], SERIES[:, 3].sum(1, keepdim=True).expand(4, 4))
    assert result.count_nonzero() == 16


@pytest.mark.parametrize(("window", "stride"), WINDOWS)
@pytest.mark.parametrize("make", [recurrent, lambda: Opaque().eval()])
def test_captum_agrees_whether_the_model_resumes_from_a_state_or_not(make, window, stride):
    model = make().double()
    expected = Captum(model).attribute(SERIES, window, strides=stride, target=LABEL)
    result = Occlusion(window, stride).scores(Query(model, SERIES, Logit(LABEL)))
    torch.testing.assert_close(result.float(), expected, atol=1e-6, rtol=0)  # Captum adds up in float32


@pytest.mark.parametrize(("window", "stride"), [((2, 3, 3), (2, 1, 2)), ((1, 6, 1), (1, 6, 1)), ((2, 4, 5), (1, 3, 5))])
def test_captum_agrees_on_images(window, stride):
    model = convolutional().double()
    expected = Captum(model).attribute(IMAGES, window, strides=stride, target=LABEL)
    result = Occlusion(window, stride).scores(Query(model, IMAGES, Logit(LABEL)))
    torch.testing.assert_close(result.float(), expected, atol=1e-6, rtol=0)  # Captum adds up in float32


@pytest.mark.parametrize(("window", "stride"), WINDOWS)
@pytest.mark.parametrize("baseline", ["zero", "mean"])
@pytest.mark.parametrize("settings", [{}, {"pooling": "max"}, {"bidirectional": True}])
def test_a_loop_over_the_valid_steps_of_each_sample_agrees(window, stride, baseline, settings):
    model = recurrent(**settings).double()
    query = Query(model, SERIES, Logit(LABEL), length_mask(LENGTHS, 9))
    result = Occlusion(window, stride, baseline).scores(query)
    start = baseline_of(baseline, query)
    for i, (label, length) in enumerate(zip(LABEL, LENGTHS, strict=True)):
        item = lambda p, label=label: model(p[None])[0, label].detach()  # noqa: E731
        expected = occlusion(item, SERIES[i, :length], start[i, :length], window, stride)
        torch.testing.assert_close(result[i, :length], expected)


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_the_rows_of_a_call_change_nothing(rows):
    for model in (recurrent().double(), Opaque().double().eval()):
        whole = Occlusion((2, 2), 1).scores(Query(model, SERIES, Logit(LABEL)))
        few = Occlusion((2, 2), 1).scores(Query(model, SERIES, Logit(LABEL), batch_size=rows))
        torch.testing.assert_close(few, whole)


def test_a_short_window_covers_the_other_axes_whole():
    query = Query(recurrent().double(), SERIES, Logit(LABEL))
    assert torch.equal(Occlusion(2, 1).scores(query), Occlusion((2, 4), (1, 4)).scores(query))
    assert torch.equal(Occlusion((3,)).scores(query), Occlusion((3, 4), (3, 4)).scores(query))


def test_a_state_saves_half_of_the_steps(monkeypatch):
    model = recurrent()
    steps = []
    resume = model.resume
    monkeypatch.setattr(model, "resume", lambda state, x: steps.append(x[..., 0].numel()) or resume(state, x))
    x = torch.randn(8, 200, 4, generator=stream())
    Occlusion().scores(Query(model, x, Logit(torch.zeros(8, dtype=torch.long))))
    assert sum(steps) < 0.55 * 8 * 200 * 200


@pytest.mark.parametrize(
    "settings", [{"window": 0}, {"window": (2, 0)}, {"window": 2, "stride": 3}, {"stride": (1, 1)}, {"baseline": "x"}]
)
def test_settings_that_cannot_be_used(settings):
    with pytest.raises(SettingError, match=r"window|baseline"):
        Occlusion(**settings)


@pytest.mark.parametrize("window", [10, (1, 5), (1, 1, 1)])
def test_windows_that_do_not_fit(window):
    with pytest.raises(SettingError, match="inputs with axes"):
        Occlusion(window).scores(Query(Linear(9, 4), SERIES, Logit(LABEL)))


def test_one_number_is_a_square_over_all_channels_of_an_image():
    x, linear = torch.randn(2, 3, 4, 6, generator=stream(), dtype=torch.float64), Linear(3, 4, 6)
    query = Query(linear, x, Logit(torch.tensor([0, 1])))
    whole = (x * linear.weight[[0, 1]].detach()).sum(1, keepdim=True)
    result = Occlusion(2).scores(query)
    expected = (
        torch.nn.functional.avg_pool2d(whole, 2, divisor_override=1).repeat_interleave(2, 2).repeat_interleave(2, 3)
    )
    torch.testing.assert_close(result, expected.expand_as(x))
    torch.testing.assert_close(result, Occlusion((3, 2, 2)).scores(query))
    torch.testing.assert_close(Occlusion(2, 1).scores(query), Occlusion((3, 2, 2), (3, 1, 1)).scores(query))
    torch.testing.assert_close(Occlusion((3, 2, 2), 1).scores(query), Occlusion((3, 2, 2), (3, 1, 1)).scores(query))
    assert torch.equal(METHODS.make("occlusion:window=2").scores(query), result)
    with pytest.raises(SettingError, match="side of a square"):
        Occlusion(28).scores(query)
    with pytest.raises(SettingError, match="no stride beyond"):
        Occlusion((3, 2, 2), 3).scores(query)


@pytest.mark.parametrize(("side", "windows"), [(16, 256), (40, 196), (224, 256)])
def test_the_default_window_of_an_image_is_a_sixteenth_of_its_side(side, windows):
    attribution = attribute(lambda x: x.flatten(1)[:, :3], torch.ones(1, 1, side, side), "occlusion", target=0)
    assert attribution.provenance.forward == windows + 1
