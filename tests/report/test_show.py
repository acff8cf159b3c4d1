"""Maps next to their samples, as a user requests them."""

import html

import pytest
import torch

import perdure
from perdure.core.batch import Batch, Text
from perdure.core.errors import NonFiniteError, SettingError, ShapeError
from perdure.report.show import show

from .conftest import HOSTILE

LABEL = torch.tensor([0, 1])


def explain_runs(x, method="gradient", **settings):
    return perdure.attribute(lambda x, lengths=None: x.flatten(1)[:, :2] * 2, x, method, target=LABEL, **settings)


def test_series_have_names_and_padding_stays_blank():
    batch = Batch(torch.randn(2, 4, 3), LABEL, torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]]).bool(), id=("a", HOSTILE))
    result = explain_runs(batch.inputs, lengths=batch.mask.sum(1))
    shown = show({"one": result, HOSTILE: result}, batch, classes=("no", "yes"), features=("u", "v", HOSTILE)).html
    for text in ("a, class no", "class yes", ">u<", ">step 1<", ">one<"):
        assert text in shown
    assert HOSTILE not in shown


def test_a_notebook_gets_a_frame_that_holds_the_whole_page():
    batch = Batch(torch.randn(2, 4, 3), LABEL)
    shown = show(explain_runs(batch.inputs), batch, limit=1)
    frame = shown._repr_html_()
    assert html.unescape(frame.removeprefix('<iframe srcdoc="').partition('" style=')[0]) == shown.html
    assert "1 of 2 samples" in shown.html
    assert len(repr(shown)) < 100


def test_images_and_texts_take_their_own_form():
    images = Batch(torch.randn(2, 3, 5, 6), LABEL, truth=torch.rand(2, 3, 5, 6) > 0.5)
    shown = show(explain_runs(images.inputs), images).html
    assert "summed over the channels" in shown
    assert "The outline marks" in shown
    texts = (Text("Not bad", ((0, 3), (4, 7))),) * 2
    embedded = Batch(torch.randn(2, 2, 4), LABEL, text=texts)
    for batch in (embedded, Batch(torch.zeros(2, 2).long(), LABEL, text=texts)):
        assert ">Not</span>" in show(explain_runs(embedded.inputs), batch).html


def test_what_cannot_be_shown_is_named():
    batch = Batch(torch.randn(2, 4, 3), LABEL)
    with pytest.raises(ShapeError, match=r"'gradient' has shape \(2, 5, 3\), the samples have \(2, 4, 3\)"):
        show(explain_runs(torch.randn(2, 5, 3)), batch)
    with pytest.raises(SettingError, match=r"samples are Tensor.*perdure.Batch\(x, labels\)"):
        show(explain_runs(batch.inputs), batch.inputs)
    with pytest.raises(SettingError, match="no map"):
        show({}, batch)
    with pytest.raises(SettingError, match="limit is 0"):
        show(explain_runs(batch.inputs), batch, limit=0)


def test_maps_in_half_precision_are_drawn():
    batch = Batch(torch.randn(2, 4, 3).bfloat16(), LABEL)
    assert ">gradient<" in show(explain_runs(batch.inputs), batch).html


def test_maps_may_be_tensors_by_names_that_are_escaped():
    batch = Batch(torch.randn(2, 4, 3), LABEL)
    result = explain_runs(batch.inputs)
    shown = show({HOSTILE: result.values, "again": result}, batch).html
    assert HOSTILE not in shown
    assert show(result.values.bfloat16().requires_grad_(), batch).html


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"list": [1.0]}, SettingError),
        (None, SettingError),
        (torch.zeros(2, 4), ShapeError),
        (torch.zeros(2, 4, 3).long(), ShapeError),
        (torch.full((2, 4, 3), torch.nan), NonFiniteError),
    ],
)
def test_what_is_no_map_is_refused_in_words(result, error):
    with pytest.raises(error, match="map"):
        show(result, Batch(torch.randn(2, 4, 3), LABEL))
