import math

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from perdure.core.batch import Batch
from perdure.core.errors import NonFiniteError, SettingError, ShapeError
from perdure.core.query import Query, slice_query
from perdure.metrics.insertion import Insertion
from perdure.ops.baseline import NAMES, baseline_of, check_at_baseline

X = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [50.0, 90.0]], [[1.0, 1.0], [1.0, 1.0], [4.0, 4.0]]])
MASK = torch.tensor([[True, True, False], [True, True, True]])


def query(x=X, mask=None, seeds=None, model=None):
    more = {} if seeds is None else {"seeds": torch.tensor(seeds)}
    return Query(model or (lambda x, lengths=None: x.flatten(1).sum(1)), x, lambda logits: logits[:, 0], mask, **more)


def make(given, x=X, mask=None):
    """Read a baseline as a metric does, and make it."""
    return baseline_of(Insertion(baseline=given).baseline, query(x, mask))


def test_zero_is_zero_where_valid_and_leaves_padding():
    assert make("zero", mask=MASK)[0].tolist() == [[0, 0], [0, 0], [50, 90]]


def test_mean_is_of_each_feature_over_the_valid_steps_of_the_sample():
    result = make("mean", mask=MASK)
    assert result[0, :2].tolist() == [[2.0, 4.0]] * 2
    assert result[1].tolist() == [[2.0, 2.0]] * 3


def test_mean_of_an_image_is_of_each_channel():
    x = torch.stack([torch.full((2, 3), 20.0), torch.full((2, 3), 1013.0)])[None] + torch.tensor([-1.0, 0.0, 1.0])
    assert torch.equal(make("mean", x)[0], torch.stack([torch.full((2, 3), 20.0), torch.full((2, 3), 1013.0)]))


@pytest.mark.parametrize("name", ["mean", "blur", "noise"])
def test_a_row_of_a_table_has_no_mean_blur_or_noise(name):
    with pytest.raises(SettingError, match=r"(?s)table.*perdure.Batch\(x, labels\)"):
        make(name, torch.zeros(2, 3))


def weight(distance):
    return math.exp(-(distance**2) / 50) if distance <= 15 else 0.0


def test_blur_is_a_gaussian_mean_over_valid_steps():
    x = torch.randn(1, 40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    result = make("blur", x, torch.arange(40)[None] < 33)
    for t in (0, 7, 32):
        weights = torch.tensor([weight(abs(t - k)) for k in range(33)], dtype=torch.float64)
        torch.testing.assert_close(result[0, t], weights @ x[0, :33] / weights.sum())
    assert torch.equal(result[0, 33:], x[0, 33:])


def test_blur_of_an_image_runs_along_rows_and_columns_of_each_channel():
    x = torch.randn(1, 2, 20, 18, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows, columns = (torch.tensor([weight(abs(4 - k)) for k in range(size)]).to(x) for size in (20, 18))
    expected = torch.einsum("crk,r,k->c", x[0], rows, columns) / (rows.sum() * columns.sum())
    torch.testing.assert_close(make("blur", x)[0, :, 4, 4], expected)


def test_noise_has_the_moments_of_each_feature_and_belongs_to_the_sample():
    x = torch.full((2, 4000, 2), 500.0)
    x[:, :3000:2], x[:, 1:3000:2] = torch.tensor([1.0, 1000.0]), torch.tensor([5.0, 1010.0])
    mask = (torch.arange(4000) < 3000).expand(2, -1)
    result = baseline_of("noise", query(x, mask, [1, 2]))
    assert result[0, :3000].mean(0).tolist() == pytest.approx([3.0, 1005.0], abs=0.3)
    assert result[0, :3000].std(0).tolist() == pytest.approx([2.0, 5.0], abs=0.3)
    assert torch.equal(baseline_of("noise", query(x[1:, :3000], None, [2]))[0], result[1, :3000])
    assert not torch.equal(result[0], result[1])
    without = baseline_of("noise", query(x, mask))
    assert torch.equal(without[0], without[1])  # the fixed stream


@pytest.mark.parametrize("given", [5, 5.0, "5", np.float32(5), torch.tensor(5.0), np.array(5)])
def test_a_number_fills_every_element(given):
    assert torch.equal(make(given, mask=MASK)[1], torch.full((3, 2), 5.0))


@pytest.mark.parametrize(
    "given",
    [[20, 1013], torch.tensor([20, 1013]), np.array([20.0, 1013]), "[20.0, 1013.0]", torch.tensor([[[20.0, 1013]]])],
)
def test_a_vector_holds_one_number_of_each_feature(given):
    assert make(given, mask=MASK)[0].tolist() == [[20.0, 1013.0]] * 2 + [[50.0, 90.0]]


def test_a_vector_holds_one_number_of_each_channel_of_an_image():
    assert make([1.0, 2.0], torch.zeros(1, 2, 3, 2))[0, :, 2, 1].tolist() == [1.0, 2.0]


def test_a_tensor_may_be_a_sample_or_one_row_for_each():
    assert torch.equal(make(X[1])[0], X[1])
    rows = Insertion(baseline=X + 1).baseline
    assert torch.equal(baseline_of(rows, query()), X + 1)
    assert torch.equal(baseline_of(rows, slice_query(query(), torch.tensor([1, 1, 0]))), (X + 1)[[1, 1, 0]])


def test_a_baseline_is_cut_to_the_steps_of_a_sample_as_the_sample_is():
    rows = Insertion(baseline=X + 1).baseline
    first = slice_query(query(mask=MASK), slice(0, 1))
    cut = Query(first.model, X[:1, :2], first.target, MASK[:1, :2], among=first.among)
    assert torch.equal(baseline_of(rows, cut), (X + 1)[:1, :2])


def test_a_batch_gives_the_mean_of_each_feature_over_samples_and_valid_steps():
    result = make(Batch(X, torch.tensor([0, 1]), mask=MASK))
    torch.testing.assert_close(result[1, 0], torch.tensor([10 / 5, 14 / 5]))
    table = Batch(torch.tensor([[1.0, 1000.0], [3.0, 1020.0]]), torch.tensor([0, 1]))
    assert make(table, torch.zeros(1, 2)).tolist() == [[2.0, 1010.0]]
    images = Batch(torch.arange(24.0).reshape(2, 2, 3, 2), torch.tensor([0, 1]))
    assert make(images, torch.zeros(1, 2, 3, 2))[0, :, 0, 0].tolist() == images.inputs.mean((0, 2, 3)).tolist()


def test_token_ids_have_no_mean():
    with pytest.raises(SettingError, match="token ids"):
        Insertion(baseline=Batch(torch.tensor([[3, 4]]), torch.tensor([0])))


@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_a_vector_is_read_from_a_file_and_compared_with_its_digest(tmp_path, suffix):
    path = tmp_path / f"unk_vec{suffix}"

    def write(numbers):
        if suffix == ".npy":
            np.save(path, np.array(numbers, dtype=np.float32))
        else:
            save_file({"vector": torch.tensor(numbers)}, path)

    write([20.0, 1013.0])
    metric = Insertion(baseline=path)
    assert metric == Insertion(baseline=str(path)) == Insertion(baseline=[20.0, 1013.0])
    assert Insertion(baseline=str(metric.baseline)) == metric  # as a record writes it
    write([20.0, 1014.0])
    with pytest.raises(SettingError, match="holds other numbers"):
        Insertion(baseline=str(metric.baseline))


def test_no_code_is_read_from_a_file(tmp_path):
    np.save(tmp_path / "code.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    for name in ("code.npy", "cut.npy", "none.npy", "code.pt", "x" * 500 + ".npy"):
        with pytest.raises(SettingError):
            Insertion(baseline=str(tmp_path / name))


@pytest.mark.parametrize(
    "given",
    [
        True,
        None,
        "zeros",
        {},
        [float("nan")],
        [],
        torch.tensor([True]),
        torch.tensor([1j]),
        "nan",
        ["a"],
        [[1], [2, 3]],
    ],
)
def test_what_is_no_baseline_is_refused(given):
    with pytest.raises(SettingError, match="baseline"):
        Insertion(baseline=given)


@pytest.mark.parametrize("given", [torch.zeros(3), torch.zeros(5, 3, 2), torch.zeros(4, 2), torch.zeros(1, 1, 3, 2)])
def test_a_tensor_that_does_not_fit_is_refused(given):
    with pytest.raises(ShapeError, match="one number per feature"):
        make(given)


@pytest.mark.parametrize("name", NAMES)
def test_dtype_stays_and_nothing_is_written(name):
    before = X.clone()
    for dtype in (torch.float64, torch.bfloat16):
        assert baseline_of(name, query(X.to(dtype), MASK)).dtype == dtype
    assert torch.equal(X, before)


def test_nan_at_the_baseline_is_named_with_a_baseline_that_works():
    requested = query(
        torch.arange(12.0).reshape(2, 3, 2) + 1, model=lambda x: (x / x.flatten(1).norm(dim=1)[:, None, None])[:, 0]
    )
    with pytest.raises(NonFiniteError, match=r"(?s)at the baseline 'zero' of 'insertion'.*baseline=mean"):
        check_at_baseline(Insertion(), requested)
    check_at_baseline(Insertion(baseline=1.0), requested)
