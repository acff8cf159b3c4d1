"""Maps handed over to pandas, xarray and SHAP: the same numbers at the named places."""

import json
import sys

import numpy as np
import pytest
import torch

from perdure.attribution._attribute import attribute
from perdure.core.errors import DependencyError, LengthError, ShapeError
from perdure.interop.pandas import to_frame
from perdure.interop.shap import to_shap
from perdure.interop.xarray import to_xarray
from tests.cases import convolutional, recurrent, stream

X = torch.randn(3, 6, 2, generator=stream())
LENGTHS = torch.tensor([6, 2, 4])
NAMES = {"sample": ["ann", "bob", "cid"], "feature": ["speed", "height"]}


@pytest.fixture(scope="module")
def attribution():
    model = recurrent(features=2, pooling="mean")
    return attribute(model, X, "integrated_gradients", target=torch.tensor([0, 1, 2]), lengths=LENGTHS)


def test_a_long_table_holds_every_site_at_its_place(attribution):
    table = to_frame(attribution, NAMES)
    assert list(table) == ["sample", "time", "feature", "value"]
    assert len(table) == attribution.values.numel()
    row = table[(table["sample"] == "bob") & (table["time"] == 1) & (table["feature"] == "height")]
    assert row["value"].item() == attribution.values[1, 1, 1].item()


def test_padded_steps_get_no_row(attribution):
    table = to_frame(attribution, NAMES, LENGTHS)
    assert (table.groupby("sample")["time"].nunique() == [6, 2, 4]).all()
    assert np.isclose(table["value"].sum(), attribution.values.sum().item())
    with pytest.raises(LengthError):
        to_frame(attribution, lengths=torch.tensor([7, 1, 1]))


def test_images_keep_the_names_of_their_axes():
    images = attribute(convolutional(), torch.rand(2, 2, 6, 5), "gradient", target=torch.tensor([0, 1]))
    assert list(to_frame(images)) == ["sample", "channel", "row", "column", "value"]
    assert to_xarray(images).dims == ("sample", "channel", "row", "column")


def test_an_array_of_xarray_has_axes_and_provenance(attribution, tmp_path):
    array = to_xarray(attribution, NAMES)
    assert array.sizes == {"sample": 3, "time": 6, "feature": 2}
    assert array.sel(sample="cid", feature="speed")[3].item() == attribution.values[2, 3, 0].item()
    assert array.attrs["method"] == "integrated_gradients"
    assert json.loads(array.attrs["fields"])["steps"] == 50
    assert all(isinstance(value, str | int) for value in array.attrs.values())


@pytest.mark.filterwarnings("ignore")  # those of shap, where it is installed
def test_an_explanation_has_the_names_of_shap(attribution):
    given = to_shap(attribution, X, base_values=torch.tensor([0.1, 0.2, 0.3]), feature_names=NAMES["feature"])
    assert (given.values == attribution.values.numpy()).all()
    assert (given.data == X.numpy()).all()
    assert given.feature_names == ["speed", "height"]
    assert given.base_values.tolist() == pytest.approx([0.1, 0.2, 0.3])
    bare = to_shap(attribution)
    assert np.isnan(bare.base_values).all()
    assert bare.feature_names == ["feature 0", "feature 1"]


@pytest.mark.filterwarnings("ignore")
def test_what_is_handed_over_is_a_copy(attribution):
    before = attribution.values.clone()
    for values in (
        to_frame(attribution)["value"].to_numpy(copy=True),
        to_xarray(attribution).values,
        to_shap(attribution).values,
    ):
        values += 1
    assert torch.equal(attribution.values, before)


@pytest.mark.parametrize(
    "make",
    [
        lambda attribution: to_frame(attribution, {"feature": ["only one"]}),
        lambda attribution: to_xarray(attribution, {"colour": ["red"]}),
        lambda attribution: to_shap(attribution, X[:2]),
        lambda attribution: to_shap(attribution, base_values=torch.zeros(2)),
    ],
)
def test_names_and_inputs_that_do_not_fit_are_named_errors(attribution, make):
    with pytest.raises(ShapeError):
        make(attribution)


@pytest.mark.parametrize(("package", "give"), [("pandas", to_frame), ("xarray", to_xarray)])
def test_a_missing_package_is_named(attribution, package, give, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=f"{package}.*pip install"):
        give(attribution)
