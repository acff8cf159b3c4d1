import sys

import pytest
import torch

from perdure.core.errors import DataError, DependencyError, LabelError, NonFiniteError, UnknownNameError
from perdure.core.registry import DATASETS
from perdure.data.sktime import Sktime

HEADER = "@problemName Tiny\n@timeStamps false\n@univariate true\n@classLabel true b a\n@data\n"


def parts(splits):
    return splits.train, splits.validation, splits.test


def write_series(folder, train, test):
    for part, lines in (("TRAIN", train), ("TEST", test)):
        (folder / f"Tiny_{part}.ts").write_text(HEADER + "\n".join(lines) + "\n")
    return Sktime("Tiny", str(folder))


def test_real_series_come_with_the_package():
    """BasicMotions: 40 and 40 series of 100 steps and 6 features, ten of each class in either part."""
    splits = DATASETS.make("sktime:name=BasicMotions").load(0)
    assert [tuple(part.inputs.shape) for part in parts(splits)] == [(32, 100, 6), (8, 100, 6), (40, 100, 6)]
    assert splits.classes == ("badminton", "running", "standing", "walking")
    assert [part.label.bincount().tolist() for part in parts(splits)] == [[8] * 4, [2] * 4, [10] * 4]
    assert all(part.mask is None for part in parts(splits))
    torch.testing.assert_close(splits.train.inputs.mean((0, 1)), torch.zeros(6), atol=1e-5, rtol=0)
    torch.testing.assert_close(splits.train.inputs.std((0, 1), correction=0), torch.ones(6))


def test_series_of_unequal_length_are_masked():
    """JapaneseVowels: 270 and 370 series of 7 to 29 steps and 12 features by nine speakers."""
    splits = Sktime("JapaneseVowels").load(0)
    assert [len(part) for part in parts(splits)] == [216, 54, 370]
    lengths = torch.cat([part.mask.sum(1) for part in parts(splits)])
    assert (int(lengths.min()), int(lengths.max()), splits.features) == (7, 29, 12)
    assert splits.classes == tuple("123456789")
    assert all((part.inputs[~part.mask] == 0).all() for part in parts(splits))


def test_a_folder_of_the_archive_is_read(tmp_path):
    dataset = write_series(tmp_path, ["1,2,3:a", "4,5:b"] * 5, ["1,2,4:b"])
    splits = dataset.load(0)
    raw = Sktime("Tiny", str(tmp_path), standardise=False).load(0)
    assert raw.test.inputs.tolist() == [[[1.0], [2.0], [4.0]]]
    assert (raw.test.label.tolist(), raw.classes, splits.train.id[0][:6]) == ([1], ("a", "b"), "train-")


@pytest.mark.parametrize(
    ("train", "test", "error", "message"),
    [
        (["1,2:a", "3,4:a"] * 5, ["1,2:b"], LabelError, "test sample 'test-000000' has the class 'b'"),
        (["1,?:a", "3,4:b"] * 5, ["1,2:b"], NonFiniteError, r"train part holds .* index \(0, 1, 0\)"),
        ([], ["1,2:b"], DataError, "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_named(train, test, error, message, tmp_path):
    with pytest.raises(error, match=message):
        write_series(tmp_path, train, test).load(0)


def test_unknown_names_are_named_with_those_that_are_there(tmp_path):
    with pytest.raises(UnknownNameError, match=r"'BasicMotion' with classes.*'BasicMotions'.*path="):
        Sktime("BasicMotion").load(0)
    with pytest.raises(UnknownNameError, match="'Tecator'"):
        Sktime("Tecator").load(0)
    with pytest.raises(DataError, match=r"does not hold both Tiny_TRAIN.ts"):
        Sktime("Tiny", str(tmp_path)).load(0)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sktime", None)
    monkeypatch.setitem(sys.modules, "sktime.datasets", None)
    with pytest.raises(DependencyError, match=r"perdure\[timeseries\]"):
        Sktime().load(0)


@pytest.mark.parametrize("header", ["@targetlabel true", "@classLabel false", "@TargetLabel True"])
def test_series_with_numbers_to_predict_have_no_class_labels(header, tmp_path):
    """Without the check two different numbers would be two classes."""
    data = write_series(tmp_path, ["1,2:0.5", "3,4:1.5"] * 5, ["1,2:0.5"])
    for part in ("TRAIN", "TEST"):
        file = tmp_path / f"Tiny_{part}.ts"
        file.write_text(file.read_text().replace("@classLabel true b a", header))
    with pytest.raises(LabelError, match=r"Tiny_TRAIN.ts' has no class labels.*perdure.attribute in Python"):
        data.load(0)
