import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from perdure.core.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    LengthError,
    NonFiniteError,
    SettingError,
    ShapeError,
)
from perdure.core.registry import DATASETS
from perdure.data.arrays import Arrays
from tests.data.files import write_arrays

MARKS = np.array(["train"] * 10 + ["validation"] * 4 + ["test"] * 6)


def load(folder, **arrays):
    return Arrays(str(write_arrays(folder / "data.npz", **arrays))).load(0)


def with_value(index, value):
    inputs = np.zeros((20, 5, 3), np.float32)
    inputs[index] = value
    return inputs


def test_everything_is_read_back_row_by_row(tmp_path):
    inputs = np.random.default_rng(0).normal(size=(20, 5, 3))
    lengths, truth = np.arange(20) % 5 + 1, inputs > 0
    splits = load(tmp_path, inputs=inputs, lengths=lengths, truth=truth, classes=np.array(["no", "yes"]))
    assert splits.classes == ("no", "yes")
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (12, 4, 4)
    for part in (splits.train, splits.validation, splits.test):
        rows = [int(name) for name in part.id]
        valid = np.arange(5) < lengths[rows, None]
        assert part.label.tolist() == [row % 2 for row in rows]
        assert part.mask.tolist() == valid.tolist()
        assert part.truth.tolist() == (truth[rows] & valid[..., None]).tolist()
        torch.testing.assert_close(part.inputs, torch.from_numpy(inputs[rows] * valid[..., None]).float())


def test_the_command_line_names_a_file(tmp_path):
    path = write_arrays(tmp_path / "my data.npz")
    assert DATASETS.make(f"arrays:path={path}") == Arrays(str(path))
    with pytest.raises(SettingError, match="dataset 'arrays' needs a path"):
        DATASETS.make("arrays")


def test_a_split_of_the_archive_is_kept(tmp_path):
    splits = load(tmp_path, split=MARKS)
    assert splits.validation.id == ("000010", "000011", "000012", "000013")
    assert (splits.train.mask, splits.train.truth) == (None, None)


@pytest.mark.parametrize(
    ("label", "classes", "position"),
    [
        (["b", "a"], None, [1, 0]),
        ([7, 2], None, [1, 0]),
        ([True, False], None, [1, 0]),
        ([1, 0], ["cat", "dog", "cow"], [1, 0]),
        (["dog", "cat"], ["cat", "dog", "cow"], [1, 0]),
    ],
)
def test_labels_become_positions_among_the_classes(label, classes, position, tmp_path):
    splits = load(
        tmp_path, label=np.array(label * 10), classes=None if classes is None else np.array(classes), split=MARKS
    )
    assert splits.classes == tuple(classes or (str(item) for item in sorted(label)))
    assert splits.train.label.tolist() == position * 5


def test_padding_may_hold_anything(tmp_path):
    lengths = np.full(20, 5)
    lengths[3] = 4
    splits = load(tmp_path, inputs=with_value((3, 4), np.nan), lengths=lengths)
    assert all(torch.isfinite(part.inputs).all() for part in (splits.train, splits.validation, splits.test))


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"label": None}, DataError, "has no 'label'; its keys are 'inputs'.*name the arrays 'inputs', 'label'"),
        ({"length": np.ones(20)}, DataError, "has the unknown 'length'.*'lengths'"),
        ({"label": np.array([{}] * 20)}, DataError, "'label' cannot be read: Object arrays.*not objects"),
        ({"inputs": np.ones((20, 5))}, ShapeError, r"'inputs' has shape \(20, 5\).*\(batch, time, feature\)"),
        ({"inputs": np.ones((20, 5, 3), int)}, ShapeError, "'inputs' has dtype int64.*astype"),
        ({"inputs": with_value((2, 1, 0), np.nan)}, NonFiniteError, r"'inputs' holds 1 values.*\(2, 1, 0\)"),
        ({"inputs": np.full((20, 5, 3), 1e300)}, NonFiniteError, "'inputs' holds 300 values"),
        ({"inputs": np.ones((0, 5, 3)), "label": np.ones(0, int)}, EmptyDataError, r"'inputs' has shape \(0, 5, 3\)"),
        ({"inputs": np.ones((20, 5, 0))}, EmptyDataError, r"\(20, 5, 0\)"),
        ({"lengths": np.arange(20)}, LengthError, "length of sample 0 is 0"),
        ({"lengths": np.full(20, 6)}, LengthError, "length of sample 0 is 6, but there are 5 steps"),
        ({"lengths": np.full(19, 5)}, LengthError, "one whole number per sample"),
        ({"lengths": np.full(20, 5.0)}, LengthError, "'lengths' has dtype float64"),
        ({"label": np.arange(19)}, ShapeError, r"'label' has shape \(19,\) for 20 samples"),
        ({"label": np.ones(20)}, LabelError, "'label' has dtype float64"),
        ({"label": np.arange(20) - 1}, LabelError, "'label' of sample 0 is -1"),
        ({"label": np.full(20, "a")}, LabelError, "every sample has the label 'a'"),
        ({"classes": np.array(["a"])}, LabelError, "'label' of sample 1 is 1, but 'classes' holds 'a'"),
        ({"label": np.array(["a", "x"] * 10), "classes": np.array(["a", "b"])}, LabelError, "sample 1 is x"),
        ({"classes": np.array(["a", "a"])}, LabelError, "'classes' .* occurs twice"),
        ({"classes": np.array([0, 1])}, LabelError, "'classes' has shape .* dtype int64"),
        ({"truth": np.ones((20, 5))}, ShapeError, r"'truth' has shape \(20, 5\), 'inputs' has \(20, 5, 3\)"),
        ({"truth": with_value(0, 0.5)}, DataError, "'truth' holds values other than 0 and 1"),
        ({"truth": np.full((20, 5, 3), "a")}, DataError, "'truth' holds values other than 0 and 1"),
        ({"split": np.full(20, "dev")}, DataError, "'split' holds 'dev'.*'train', 'validation', 'test'"),
        ({"split": np.full(20, "train")}, EmptyDataError, "'split' marks no sample as 'test'"),
        ({"split": MARKS[:5]}, ShapeError, r"'split' has shape \(5,\)"),
    ],
)
def test_bad_arrays_are_named(arrays, error, message, tmp_path):
    with pytest.raises(error, match=message) as caught:
        load(tmp_path, **arrays)
    assert type(caught.value) is error


def test_no_such_file(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        Arrays(str(tmp_path / "none.npz")).load(0)


@pytest.mark.parametrize("content", [b"\x80\x04.", b"", "half", "middle"])
def test_files_that_are_no_whole_archive(content, tmp_path):
    path = write_arrays(tmp_path / "data.npz")
    whole = path.read_bytes()
    damaged = {"half": whole[: len(whole) // 2], "middle": whole[:200] + b"\xff" * 40 + whole[240:]}
    path.write_bytes(damaged.get(content, content))
    with pytest.raises(DataError, match=r"(is not a whole .npz archive|'inputs' cannot be read).*Remedy"):
        Arrays(str(path)).load(0)


def test_names_of_features_are_kept(tmp_path):
    names = np.array(["speed", "height", "heart"])
    assert load(tmp_path, features=names).feature_names == ("speed", "height", "heart")
    assert load(tmp_path).feature_names == ()
    with pytest.raises(DataError, match=r"'features' has shape \(2,\) and dtype <U\d+ for 3 features"):
        load(tmp_path, features=names[:2])


def raw_npy(shape, descr="<f4", content=b"", version=b"\x01\x00"):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + content


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (raw_npy((10**13,)), r"header declares \(10000000000000,\) values of type float32, but there are 0 bytes"),
        (raw_npy((-1, 5, 3), content=bytes(60)), r"header declares \(-1, 5, 3\)"),
        (raw_npy((2**40,), "<U0"), "header declares .* of type <U0"),
        (raw_npy((20,), "|O", bytes(160)), "Object arrays cannot be read"),
        (raw_npy((20,), version=b"\x09\x00"), "cannot be read: "),
        (raw_npy("((((((20,", "<f4"), "'inputs' cannot be read"),
        (b"print('no array')", "the magic string is not correct"),
        (b"", "'inputs' cannot be read"),
        (raw_npy((20, 5, 3), content=bytes(100)), "but there are 100 bytes"),
    ],
)
def test_a_member_that_is_no_array_is_named(member, message, tmp_path):
    path = write_arrays(tmp_path / "data.npz", inputs=None)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("inputs.npy", member)
    with pytest.raises(DataError, match=message):
        Arrays(str(path)).load(0)


def test_an_archive_that_unpacks_without_end_is_refused_before_it_is_unpacked(tmp_path):
    """300 MB of zeros in 1.3 MB."""
    path = write_arrays(tmp_path / "data.npz", inputs=None)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("inputs.npy", "w", force_zip64=True) as file,
    ):
        file.write(raw_npy((75, 10**6, 1)))
        for _ in range(100):
            file.write(bytes(3 * 10**6))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"'inputs.npy' has .* MB and would unpack to more than .* exhaust the memory"):
        Arrays(str(path)).load(0)
    assert tracemalloc.get_traced_memory()[1] < 10**8
    tracemalloc.stop()


def test_arrays_beyond_the_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("perdure.core.stored_array.available_memory", lambda: 3000)
    with pytest.raises(DataError, match=r"'inputs.npy' takes .* only 0.00 GB of memory are available"):
        load(tmp_path)


def test_names_of_arrays_cannot_control_a_terminal(tmp_path):
    with pytest.raises(DataError, match="has the unknown") as caught:
        load(tmp_path, **{"\x1b[2J": np.ones(20)})
    assert "\x1b" not in str(caught.value)
