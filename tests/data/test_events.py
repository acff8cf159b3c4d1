import re

import numpy as np
import pytest
import torch

from perdure.core.errors import DataError, LabelError, NonFiniteError, ShapeError
from perdure.data.events import Events
from perdure.models.hierarchical import Hierarchical
from tests.data.files import event_arrays, write_event_archive, write_event_folder


@pytest.mark.parametrize("write", [write_event_folder, write_event_archive])
def test_the_published_layout_is_read_unchanged(write, tmp_path):
    """Rows by number of the array, then by row; series of a later number may be shorter."""
    arrays = event_arrays()
    splits = Events(str(write(tmp_path, **arrays))).load(0)
    for part, name in ((splits.train, "train"), (splits.validation, "val"), (splits.test, "test")):
        row = 0
        for bucket in (0, 2, 10):
            x, y, f = (arrays[f"{letter}_{name}_{bucket}"] for letter in "xyf")
            for item in range(len(x)):
                steps = x.shape[1]
                assert part.mask[row].tolist() == [place < steps for place in range(part.inputs.shape[1])]
                assert np.array_equal(part.inputs[row, :steps, :3], x[item])
                assert np.array_equal(part.inputs[row, :steps, 3:], f[item])
                assert (part.inputs[row, steps:] == 0).all()
                expected = [int(types.argmax()) if types.any() else -1 for types in f[item]]
                assert part.event[row].tolist() == expected + [-1] * (part.inputs.shape[1] - steps)
                assert part.label[row] == y[item, 0].argmax()
                assert part.id[row] == f"{name}-{bucket:03d}-{item:06d}"
                row += 1
        assert row == len(part)
    assert (splits.features, splits.classes) == (3 + 4, ("0", "1"))


def test_without_splits_in_the_names_the_seed_draws_them(tmp_path):
    arrays = event_arrays(names=("",))
    splits = Events(str(write_event_archive(tmp_path, **arrays))).load(0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [7, 3, 2]
    names = {name for part in (splits.train, splits.validation, splits.test) for name in part.id}
    assert {"000-000000", "002-000003", "010-000001"} < names


def test_one_archive_of_x_y_f_is_enough(tmp_path):
    arrays = {letter: np.concatenate([value] * 3) for letter, value in _bucket().items() if letter != "e"}
    splits = Events(str(write_event_archive(tmp_path, **arrays))).load(0)
    assert sum(len(part) for part in (splits.train, splits.validation, splits.test)) == 12


def test_other_arrays_of_the_published_folder_are_left_alone(tmp_path):
    extra = {"unk_vec": np.zeros(3), "t_train_0": np.array([{}], dtype=object)}
    with_them = Events(str(write_event_folder(tmp_path, **event_arrays(), **extra))).load(0)
    assert with_them.features == 7


def test_a_step_with_several_types_keeps_them_in_its_channels(tmp_path):
    arrays = _bucket(f=np.ones((4, 5, 4)), e=np.ones((4, 4)))
    arrays = {letter: np.concatenate([value] * 3) for letter, value in arrays.items()}
    train = Events(str(write_event_archive(tmp_path, **arrays))).load(0).train
    assert train.event is None
    assert (train.inputs[..., 3:] == 1).all()


@pytest.mark.parametrize("write", [write_event_folder, write_event_archive])
def test_types_have_names_where_they_are_stored_and_numbers_elsewhere(write, tmp_path):
    path = write(tmp_path, **event_arrays(), types=np.array(["person", "<b>act</b>", "time", "place"]))
    assert Events(str(path)).load(0).types == ("person", "<b>act</b>", "time", "place")
    assert Events(str(write_event_archive(tmp_path, **event_arrays(names=("",))))).load(0).types == tuple(
        f"type {number}" for number in range(4)
    )


def test_names_of_types_may_be_lines_of_text(tmp_path):
    write_event_folder(tmp_path, **event_arrays(names=("",)))
    (tmp_path / "types.txt").write_text("a\nb\nc\nd\n", encoding="utf-8")
    assert Events(str(tmp_path)).load(0).types == ("a", "b", "c", "d")
    (tmp_path / "types.txt").write_text("a\nb\nb\nd\n", encoding="utf-8")
    with pytest.raises(DataError, match="there are 4 names of types, 3 of them different, for 4 types"):
        Events(str(tmp_path)).load(0)


def test_a_model_reads_it(tmp_path):
    splits = Events(str(write_event_folder(tmp_path, **event_arrays()))).load(0)
    model = Hierarchical(4, (5,), types=4).build(splits.features, 2, torch.Generator().manual_seed(0))
    attention = model.attention(splits.test.inputs, splits.test.mask.sum(1))
    torch.testing.assert_close(attention.sum(1), (splits.test.event >= 0).any(1).float())


def _bucket(**replaced):
    arrays = {key[0]: value for key, value in event_arrays(names=("",)).items() if key.endswith("_0")}
    return {**arrays, **replaced}


BAD = {
    "cut": ({"f": np.zeros((4, 4, 4))}, ShapeError, "'f' has shape (4, 4, 4) for an 'x' of 4 samples"),
    "flat": ({"x": np.zeros((4, 5))}, ShapeError, "'x' has shape (4, 5)"),
    "whole": ({"x": np.zeros((4, 5, 3), dtype=int)}, ShapeError, "'x' has dtype int64"),
    "nan": ({"x": np.full((4, 5, 3), np.nan)}, NonFiniteError, "60 values that are NaN"),
    "two classes": ({"y": np.ones((4, 1, 2))}, LabelError, "row 0 of 'y' does not have exactly one 1"),
    "one class": ({"y": np.ones((4, 1))}, LabelError, "'y' has a single class"),
    "long label": ({"y": np.ones((4, 2, 2))}, ShapeError, "'y' has shape (4, 2, 2)"),
    "halves": ({"f": np.full((4, 5, 4), 0.5)}, DataError, "'f' holds values other than 0 and 1"),
    "absent": ({"e": np.zeros((4, 4))}, DataError, "'e' marks other types than those that occur"),
    "names": ({"types": np.arange(4)}, ShapeError, "'types' has shape (4,) and dtype int64"),
    "few names": ({"types": np.array(["a"])}, DataError, "there are 1 names of types, 1 of them different, for 4"),
    "objects": ({"y": np.array([{}] * 4, dtype=object)}, DataError, "'y' cannot be read: Object arrays"),
}


@pytest.mark.parametrize(("replaced", "error", "message"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named(replaced, error, message, tmp_path):
    path = write_event_archive(tmp_path, **_bucket(**replaced))
    with pytest.raises(error, match=re.escape(message)):
        Events(str(path)).load(0)


def test_paths_and_names_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(DataError, match="no folder and no file"):
        Events(str(tmp_path / "none")).load(0)
    with pytest.raises(DataError, match=r"have the splits \[\]"):
        Events(str(tmp_path)).load(0)
    (tmp_path / "bad.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="not a whole"):
        Events(str(tmp_path / "bad.npz")).load(0)
    with pytest.raises(DataError, match=r"have the splits \['None', 'test', 'train', 'val'\]"):
        Events(str(write_event_folder(tmp_path, **event_arrays(), x=np.zeros((1, 1, 1))))).load(0)
    (tmp_path / "x.npy").unlink()
    (tmp_path / "f_val_2.npy").unlink()
    with pytest.raises(DataError, match="there is no array 'f_val_2'"):
        Events(str(tmp_path)).load(0)
    (tmp_path / "f_val_2.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match="'f_val_2' cannot be read"):
        Events(str(tmp_path)).load(0)


def test_arrays_of_other_sizes_are_named(tmp_path):
    arrays = event_arrays()
    arrays["x_test_2"] = arrays["x_test_2"][..., :2]
    with pytest.raises(ShapeError, match=r"\(3, 4, 2\) in 'train-000', \(2, 4, 2\) in 'test-002'"):
        Events(str(write_event_folder(tmp_path, **arrays))).load(0)
