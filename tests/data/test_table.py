import bz2
import gzip
import lzma
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from perdure.cli.inputs import load_data
from perdure.core.errors import (
    DataError,
    EmptyDataError,
    LabelError,
    LeftOutWarning,
    LengthError,
    NonFiniteError,
)
from perdure.data.table import Table
from tests.data.files import long_rows, write_csv, write_long_csv

SAMPLES = 12


def parts(splits):
    return splits.train, splits.validation, splits.test


def by_id(splits):
    return {
        name: (part.inputs[i], part.label[i].item(), None if part.mask is None else int(part.mask[i].sum()))
        for part in parts(splits)
        for i, name in enumerate(part.id)
    }


def value(sample, step, feature):
    """What `long_rows` writes."""
    return 100 * sample + 10 * step + feature


def test_long_series_are_gathered_by_id_and_step(tmp_path):
    """Rows of samples may be mixed as long as each has its steps in order; labels are names of classes."""
    rows = long_rows(SAMPLES)
    rows[1:] = sorted(rows[1:], key=lambda row: int(row[1]))
    splits = Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    assert splits.classes == ("run", "walk")
    assert sum(map(len, parts(splits))) == SAMPLES
    for name, (inputs, label, steps) in by_id(splits).items():
        sample = int(name[1:])
        assert steps == 3 + sample % 2
        assert splits.classes[label] == ("walk", "run")[sample % 2]
        assert inputs[:steps].tolist() == [[value(sample, t, 0), value(sample, t, 1)] for t in range(steps)]
        assert (inputs[steps:] == 0).all()


def test_wide_series_are_the_same_in_any_order_of_columns(tmp_path):
    long = by_id(Table(str(write_long_csv(tmp_path, SAMPLES))).load(0))
    header = ["label", "y_1", "x_0", "y_0", "id", "x_1", "x_2", "y_3", "x_3", "y_2"]
    rows = [header]
    for sample in range(SAMPLES):
        cells = {"id": f"s{sample}", "label": ("walk", "run")[sample % 2]}
        for step in range(3 + sample % 2):
            cells |= {f"{name}_{step}": value(sample, step, i) for i, name in enumerate("xy")}
        rows.append([cells.get(name, "") for name in header])
    wide = by_id(Table(str(write_csv(tmp_path / "wide.csv", rows)), ignore=()).load(0))
    for name, (inputs, label, steps) in wide.items():
        order = [1, 0]  # y occurs first among the columns
        assert torch.equal(inputs[:, order], long[name][0])
        assert (label, steps) == long[name][1:]


def test_columns_without_numbers_are_the_steps_of_one_feature(tmp_path):
    rows = [["morning", "noon", "night", "label"], *([i, i + 1, i + 2, "ab"[i % 2]] for i in range(10))]
    splits = Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    for name, (inputs, label, steps) in by_id(splits).items():
        row = int(name.removeprefix("row-"))
        assert inputs.tolist() == [[row - 1], [row], [row + 1]]
        assert (label, steps) == ((row - 1) % 2, None)


def test_parquet_is_read_like_csv(tmp_path):
    header, *rows = long_rows(SAMPLES)
    kinds = (pa.string(), pa.int32(), pa.float32(), pa.float64(), pa.string())
    columns = [pa.array([row[i] if i == 0 or i == 4 else float(row[i]) for row in rows]) for i in range(5)]
    table = pa.table([entry.cast(kind) for entry, kind in zip(columns, kinds, strict=True)], header)
    pq.write_table(table.append_column("__index_level_0__", pa.array(range(len(rows)))), tmp_path / "a.parquet")
    csv, parquet = (
        by_id(load_data(str(path), 0)) for path in (write_long_csv(tmp_path, SAMPLES), tmp_path / "a.parquet")
    )
    assert csv.keys() == parquet.keys()
    assert all(torch.equal(csv[name][0], parquet[name][0]) for name in csv)


def test_the_command_line_reads_by_extension_with_settings(tmp_path):
    rows = long_rows(SAMPLES)
    rows[0] = ["who", "when", "x", "y", "what"]
    path = write_csv(tmp_path / "my data.csv", rows)
    with pytest.raises(DataError, match=r"there is no column 'label' among 'who', 'when'.*label="):
        load_data(str(path), 0)
    splits = load_data(f"{path}:id=who,time=when,label=what,ignore=[y]", 0)
    assert splits.features == 1
    again = load_data(f"table:id=who,time=when,label=what,ignore=[y],path={path}", 0)
    assert torch.equal(again.train.inputs, splits.train.inputs)


def test_a_split_column_is_kept_and_validation_is_held_out_of_training(tmp_path):
    rows = long_rows(SAMPLES)
    rows = [[*row, "split" if i == 0 else ("test" if int(row[0][1:]) < 2 else "train")] for i, row in enumerate(rows)]
    splits = Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    assert splits.test.id == ("s0", "s1")
    assert [part.label.bincount().tolist() for part in parts(splits)] == [[4, 4], [1, 1], [1, 1]]


def test_dates_are_steps(tmp_path):
    rows = long_rows(SAMPLES)
    for row in rows[1:]:
        row[1] = f"2026-01-0{int(row[1]) + 1} 12:00:00"
    splits = Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    long = Table(str(write_long_csv(tmp_path, SAMPLES))).load(0)
    assert torch.equal(splits.train.inputs, long.train.inputs)
    rows[2][1] = "2026-01-09"
    with pytest.raises(DataError, match="not in order"):
        Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)


def test_a_series_may_be_sorted_and_uneven_when_set(tmp_path):
    rows = long_rows(SAMPLES)
    rows[1:] = rows[:0:-1]
    path = str(write_csv(tmp_path / "a.csv", rows))
    long = by_id(Table(str(write_long_csv(tmp_path, SAMPLES))).load(0))
    result = by_id(Table(path, sort=True).load(0))
    assert all(torch.equal(result[name][0], long[name][0]) for name in long)
    for row in rows[1:]:
        row[1] = 2 ** int(row[1])
    result = by_id(Table(str(write_csv(tmp_path / "a.csv", rows)), sort=True, uneven=True).load(0))
    assert all(torch.equal(result[name][0], long[name][0]) for name in long)


def test_training_samples_give_mean_and_spread_of_a_feature(tmp_path):
    splits = Table(str(write_long_csv(tmp_path, SAMPLES)), standardise=True).load(0)
    valid = splits.train.inputs[splits.train.mask]
    torch.testing.assert_close(valid.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    torch.testing.assert_close(valid.std(0, correction=0), torch.ones(2))
    assert (splits.test.inputs[~splits.test.mask] == 0).all()


def test_hostile_text_stays_text(tmp_path):
    rows = long_rows(SAMPLES)
    names = {"run": "<script>alert(1)</script>", "walk": "=cmd|' /C calc'!A0"}
    rows[1:] = [[*row[:4], names[row[4]]] for row in rows[1:]]
    assert Table(str(write_csv(tmp_path / "a.csv", rows))).load(0).classes == tuple(sorted(names.values()))


def with_cell(row, column, cell):
    """Rows of `long_rows` with one cell replaced; row 1 is the first below the header."""
    rows = long_rows(SAMPLES)
    rows[row][column] = cell
    return rows


def without(*rows):
    return [row for i, row in enumerate(long_rows(SAMPLES)) if i not in rows]


def repeat(row):
    rows = long_rows(SAMPLES)
    return [*rows[: row + 1], rows[row], *rows[row + 1 :]]


def swap(row):
    rows = long_rows(SAMPLES)
    rows[row], rows[row + 1] = rows[row + 1], rows[row]
    return rows


def mark(mark):
    rows = long_rows(SAMPLES)
    return [[*row, "split" if i == 0 else mark(i, row)] for i, row in enumerate(rows)]


def only_in_test(_, row):
    return "test" if row[4] == "run" or row[0] == "s0" else "train"


BAD_LONG = {
    "missing step": (without(2), DataError, "'s0' has step 0 in row 1 and step 2 in row 2 of column 'time'.*missing"),
    "unsorted": (swap(4), DataError, "'s1' has step 1 in row 4 and step 0 in row 5.*not in order.*sort=true"),
    "twice": (repeat(3), DataError, "'s0' has step 2 in row 3 and step 2 in row 4.*the same"),
    "text": (with_cell(5, 3, "<b>7</b>"), DataError, "row 5, column 'y' holds '<b>7</b>', which is no number"),
    "review": (
        with_cell(5, 3, "a film " * 50),
        DataError,
        "column 'y' holds 'a film .{1,60}, .*text_table:path=",
    ),
    "comma": (with_cell(5, 3, "1,5"), DataError, "row 5, column 'y' holds '1,5', .* decimal point"),
    "empty": (with_cell(5, 3, ""), NonFiniteError, "row 5, column 'y' is empty or NaN"),
    "nan": (with_cell(6, 2, "NaN"), NonFiniteError, "row 6, column 'x' is empty or NaN"),
    "infinite": (with_cell(6, 2, "-inf"), NonFiniteError, "row 6, column 'x' is -inf, beyond"),
    "large": (with_cell(6, 2, "1e300"), NonFiniteError, r"row 6, column 'x' is 1e\+300, beyond"),
    "no id": (with_cell(6, 0, " "), DataError, "row 6, column 'id' is empty"),
    "no step": (with_cell(6, 1, ""), NonFiniteError, "row 6, column 'time' is empty"),
    "step": (with_cell(6, 1, "late"), DataError, "row 6, column 'time' holds 'late'"),
    "no label": (with_cell(6, 4, ""), DataError, "row 6, column 'label' is empty"),
    "label": (with_cell(6, 4, "walk"), LabelError, "row 6, column 'label' is 'walk', but 's1' has 'run' in row 4"),
    "mark": (mark(lambda i, row: "train" if i < 6 else "dev"), LabelError, "row 6, column 'split' is 'dev'.*'s1'"),
    "marks": (mark(lambda i, row: "dev"), DataError, "'split' holds 'dev'"),
    "no test": (mark(lambda i, row: "train"), EmptyDataError, "marks no sample as 'test'"),
    "class": (mark(only_in_test), LabelError, "test sample 's1' has the class 'run', no training sample"),
    "columns": ([["id", "time", "label"], ["a", 1, "x"]], DataError, "has no features among 'id', 'time', 'label'"),
    "no rows": (long_rows(0), EmptyDataError, "has no rows"),
    "name": ([["id", "time", "x", "x", "label"], ["a", 1, 1, 1, "b"]], DataError, "two columns called 'x'"),
    "cells": ([["id", "time", "x"], ["a", 1, 2], ["a", 2]], DataError, "row 2 of .* has 2 cells under 3 columns"),
    "time only": ([["time", "x", "label"], [1, 2, "a"]], DataError, "no column 'id' .*id="),
}


@pytest.mark.parametrize(("rows", "error", "message"), BAD_LONG.values(), ids=BAD_LONG)
def test_what_a_long_table_cannot_be_used_for_is_named(rows, error, message, tmp_path):
    with pytest.raises(error, match=message) as result:
        Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    assert type(result.value) is error


def wide(*rows):
    return [["id", "x_0", "x_1", "label"], *([f"a{i}", i, i, "uv"[i % 2]] for i in range(9)), *rows]


BAD_WIDE = {
    "twice": (wide(["a2", 1, 2, "u"]), DataError, "rows 3 and 10 both have 'a2' in column 'id'"),
    "gap": (wide(["b", "", 2, "u"]), NonFiniteError, "row 10, column 'x_0' is empty or NaN.*last steps"),
    "empty": (wide(["b", "", "", "u"]), LengthError, "row 10 has no step"),
    "infinite": (wide(["b", 0, "inf", "u"]), NonFiniteError, "row 10, column 'x_1' is inf"),
    "text": (wide(["b", 0, "one", "u"]), DataError, "row 10, column 'x_1' holds 'one'"),
    "mixed": ([["x_0", "x_1", "age", "label"], [1, 2, 3, "a"]], DataError, "columns 'age' have no number.*ignore="),
    "grid": ([["x_0", "x_1", "y_0", "label"], [1, 2, 3, "a"]], DataError, "feature 'y' has no column for step 1"),
    "step": (
        [["x_0", "x_1", "x_3", "label"], [1, 2, 3, "a"]],
        DataError,
        "after the columns of step 1 comes no step 2",
    ),
    "regression": ([["x_0", "label"], *([i, i / 2] for i in range(9))], LabelError, "another class for each sample"),
    "one class": ([["x_0", "label"], [1, 1], [2, 1]], LabelError, "every row has '1' in column 'label'"),
    "rare": ([["x_0", "label"], *([i, max(i, 1)] for i in range(9))], LabelError, "the class '.', no training sample"),
}


@pytest.mark.parametrize(("rows", "error", "message"), BAD_WIDE.values(), ids=BAD_WIDE)
def test_what_a_wide_table_cannot_be_used_for_is_named(rows, error, message, tmp_path):
    with pytest.raises(error, match=message):
        Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        Table(str(tmp_path / "a.csv")).load(0)
    for name, content in (("a.csv", b""), ("b.csv", b"id,x\n\xff,1\n"), ("c.parquet", b"PAR1")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            Table(str(tmp_path / name)).load(0)
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"does not end in '.csv'"):
        Table(str(tmp_path / "a.xlsx")).load(0)
    pq.write_table(pa.table({"x_0": [[1.0], [2.0]], "label": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 1, column 'x_0' holds \[1.0\]"):
        Table(str(tmp_path / "a.parquet")).load(0)


def test_whole_numbers_are_classes_in_their_order(tmp_path):
    rows = [["x_0", "label"], *([i, (10, 9, 2)[i % 3]] for i in range(30))]
    splits = Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    assert splits.classes == ("2", "9", "10")
    assert np.isin(splits.train.inputs[splits.train.label == 2].numpy() % 3, 0).all()


def test_columns_name_the_features_and_steps_do_not(tmp_path):
    long = load_data(str(write_csv(tmp_path / "a.csv", long_rows(SAMPLES))), 0)
    assert long.feature_names == tuple(long_rows(SAMPLES)[0][2:-1])
    wide = [["label", "a_0", "b_0", "a_1", "b_1"], *([str(i % 2), *"1234"] for i in range(SAMPLES))]
    assert load_data(str(write_csv(tmp_path / "b.csv", wide)), 0).feature_names == ("a", "b")
    steps = [["label", "t0", "t1"], *([str(i % 2), *"12"] for i in range(SAMPLES))]
    assert load_data(str(write_csv(tmp_path / "c.csv", steps)), 0).feature_names == ()


def test_a_long_table_under_other_names_is_not_taken_for_a_wide_one(tmp_path):
    """Read as wide it would give one sample for each step, and the same person to training and test."""
    rows = [["patient", "t", "x", "outcome"], *([i // 4, i % 4, i**2 % 7, "ab"[i // 4 % 2]] for i in range(48))]
    path = write_csv(tmp_path / "a.csv", rows)
    with pytest.raises(
        DataError, match=r"'patient' and 't' are the sample.*id=patient,time=t, or .*ignore=\[patient, t\]"
    ):
        load_data(f"{path}:label=outcome", 0)
    assert sum(map(len, parts(load_data(f"{path}:label=outcome,id=patient,time=t", 0)))) == 12
    assert sum(map(len, parts(load_data(f"{path}:label=outcome,ignore=[patient, t]", 0)))) == 48


@pytest.fixture
def save(tmp_path):
    """Series saved by pandas in several ways, by name, and as they are without an index."""
    header, *rows = long_rows(SAMPLES)
    frame = pd.DataFrame(rows, columns=header)
    frame.to_csv(tmp_path / "plain.csv", index=False)
    frame.to_csv(tmp_path / "once.csv")
    pd.read_csv(tmp_path / "once.csv").to_csv(tmp_path / "twice.csv")
    pd.read_csv(tmp_path / "twice.csv").to_csv(tmp_path / "thrice.csv")
    frame.reset_index().to_csv(tmp_path / "reset.csv", index=False)
    frame.set_index(["id", "time"], drop=False).rename_axis([None, None]).to_csv(tmp_path / "two.csv")
    frame.assign(patient=[7 * i**2 for i in range(len(frame))]).set_index("patient").to_parquet(
        tmp_path / "named.parquet"
    )
    frame.reset_index().to_parquet(tmp_path / "reset.parquet")
    frame.to_csv(tmp_path / "once.csv.gz")
    frame.assign(last=None).rename(columns={"last": ""}).to_csv(tmp_path / "trailing.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("once.csv", ["Unnamed: 0"]),
        ("once.csv.gz", ["Unnamed: 0"]),
        ("twice.csv", ["Unnamed: 0.1", "Unnamed: 0"]),
        ("thrice.csv", ["Unnamed: 0.1.1", "Unnamed: 0.1", "Unnamed: 0"]),
        ("two.csv", ["Unnamed: 0", "Unnamed: 1"]),
        ("trailing.csv", ["Unnamed: 5"]),
        ("reset.csv", ["index"]),
        ("named.parquet", ["patient"]),
        ("reset.parquet", ["index"]),
    ],
)
def test_row_numbers_are_no_feature(name, columns, save):
    plain = by_id(load_data(str(save / "plain.csv"), 0))
    with pytest.warns(
        LeftOutWarning, match=re.escape(", ".join(f"'{entry}'" for entry in columns)) + r" of .*index=False"
    ):
        splits = load_data(str(save / name), 0)
    assert splits.feature_names == ("x", "y")
    assert all(torch.equal(inputs, plain[sample][0]) for sample, (inputs, _, _) in by_id(splits).items())


def test_row_numbers_of_a_wide_table_are_no_step(tmp_path):
    rows = [["", "t0", "t1", "label"], *([i, i + 5, i * 2, "ab"[i % 2]] for i in range(10))]
    with pytest.warns(LeftOutWarning, match="'Unnamed: 0'"):
        assert load_data(str(write_csv(tmp_path / "a.csv", rows)), 0).train.inputs.shape[1:] == (2, 1)


def test_row_numbers_can_be_named_or_ignored(save):
    assert load_data(f"{save / 'once.csv'}:ignore=['Unnamed: 0']", 0).features == 2
    assert Table(str(save / "reset.csv"), ignore=("index",)).load(0).features == 2
    assert Table(str(save / "once.csv"), time="Unnamed: 0", ignore=("time",)).load(0).features == 2


def test_a_first_column_of_measurements_stays_whatever_its_name(tmp_path):
    rows = [["index", "y", "label"], *([i * i % 7, i, "ab"[i % 2]] for i in range(10))]
    assert Table(str(write_csv(tmp_path / "a.csv", rows))).load(0).train.inputs.shape[1:] == (2, 1)


def as_text(rows, delimiter, decimal="."):
    cells = [[str(cell + 0.5 if isinstance(cell, int) else cell).replace(".", decimal) for cell in row] for row in rows]
    return "".join(delimiter.join(row) + "\n" for row in cells)


@pytest.mark.parametrize("pack", [None, gzip.compress, bz2.compress, lzma.compress], ids=["", ".gz", ".bz2", ".xz"])
@pytest.mark.parametrize(("delimiter", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", ".")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_form_of_text_holds_the_same_series(encoding, delimiter, decimal, pack, tmp_path):
    rows = [[{"x": "größe"}.get(cell, cell) for cell in row] for row in long_rows(SAMPLES)]
    suffix = {None: "", gzip.compress: ".gz", bz2.compress: ".bz2", lzma.compress: ".xz"}[pack]
    path = tmp_path / f"a.csv{suffix}"
    content = as_text(rows, delimiter, decimal).encode(encoding)
    path.write_bytes(content if pack is None else pack(content))
    splits = load_data(str(path), 0)
    assert splits.feature_names == ("größe", "y")
    for name, (inputs, label, steps) in by_id(splits).items():
        sample = int(name[1:])
        assert splits.classes[label] == ("walk", "run")[sample % 2]
        assert inputs[:steps, 1].tolist() == [value(sample, t, 1) + 0.5 for t in range(steps)]


def test_endings_may_be_in_upper_case_and_tabs_have_their_own(tmp_path):
    for name in ("A.CSV", "a.tsv", "a.CSV.GZ"):
        content = as_text(long_rows(SAMPLES), "\t" if "tsv" in name else ",").encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("GZ") else content)
        assert load_data(f"{tmp_path / name}:ignore=[y]", 0).features == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id;time;x;label\na;0;1,5;u\na;1;2.5;u\n", "row 2, column 'x' holds '2.5', though numbers .* decimal comma"),
        ("id;time;x;label\na;0;1.234,5;u\na;1;2,5;u\n", "row 1, column 'x' holds '1.234,5', which is no number"),
        ("id\ttime\tx\tlabel\na\t0\t1,5\tu\n", "row 1, column 'x' holds '1,5', .* decimal point"),
        ("id;time;x;label\na;0;1\n", "row 1 of .* has 3 cells under 4 columns"),
        ("x;time;y\na;0;1\n", "there is no column 'label' among 'x', 'time', 'y'"),
    ],
)
def test_numbers_that_can_be_read_in_two_ways_are_refused(text, message, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        Table(str(tmp_path / "a.csv")).load(0)


@pytest.mark.parametrize("content", ["id,größe\na,1\n".encode("latin-1"), "id,x\nä,1\n".encode("latin-1")])
def test_another_encoding_is_named_with_what_to_do(content, tmp_path):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"(?i)cannot be read: .*utf-?8.*CSV UTF-8"):
        Table(str(tmp_path / "a.csv")).load(0)


@pytest.mark.parametrize("zone", ["Z", "+01:00", "+0530", "-08"])
@pytest.mark.parametrize("between", [" ", "T"])
def test_times_with_a_zone_are_steps(between, zone, tmp_path):
    rows = long_rows(SAMPLES)
    for row in rows[1:]:
        row[1] = f"2026-01-01{between}0{row[1]}:00:00{zone}"
    path = str(write_csv(tmp_path / "a.csv", rows))
    long = Table(str(write_long_csv(tmp_path, SAMPLES))).load(0)
    assert torch.equal(Table(path).load(0).train.inputs, long.train.inputs)
    rows[2][1] = "2026-01-01 01:00:00"
    with pytest.raises(DataError, match="row 1, column 'time' holds '2026"):
        Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)


KINDS = [pa.duration("s"), pa.time32("s"), pa.time64("us"), pa.date32(), pa.date64(), pa.timestamp("ns", "UTC")]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_time_is_a_step(kind, tmp_path):
    header, *rows = long_rows(SAMPLES)
    columns = dict(zip(header, map(pa.array, zip(*rows, strict=True)), strict=True))
    day = 24 * 3600 * 1000 if kind == pa.date64() else 1
    ticks = pa.array([row[1] * day for row in rows], pa.int32() if kind.bit_width == 32 else pa.int64())
    pq.write_table(pa.table({**columns, "time": ticks.cast(kind)}), tmp_path / "a.parquet")
    long = Table(str(write_long_csv(tmp_path, SAMPLES))).load(0)
    splits = Table(str(tmp_path / "a.parquet")).load(0)
    assert torch.equal(splits.train.inputs, long.train.inputs)
    doubled = pa.table({**columns, "time": pa.array([0] * len(rows), ticks.type).cast(kind)})
    pq.write_table(doubled, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"'s0' has step .* the same"):
        Table(str(tmp_path / "a.parquet")).load(0)


def test_categories_of_pandas_are_read(tmp_path):
    header, *rows = long_rows(SAMPLES)
    pd.DataFrame(rows, columns=header).astype({"label": "category", "id": "category"}).to_parquet(
        tmp_path / "a.parquet"
    )
    long = Table(str(write_long_csv(tmp_path, SAMPLES))).load(0)
    assert torch.equal(Table(str(tmp_path / "a.parquet")).load(0).train.inputs, long.train.inputs)


def test_names_of_columns_cannot_control_a_terminal(tmp_path):
    rows = long_rows(SAMPLES)
    rows[0][2], rows[1][2] = "\x1b[31mx", "\x1b[2J"
    with pytest.raises(DataError, match="which is no number") as caught:
        Table(str(write_csv(tmp_path / "a.csv", rows))).load(0)
    assert "\x1b" not in str(caught.value)


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("perdure.data._read.guard.SMALL", 2**16)
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,time,x,label\n" + b"a,1,1,b\n" * 2**17))
    with pytest.raises(DataError, match=r"a.csv.gz' has 0.00 MB and would unpack to more than .* exhaust the memory"):
        Table(str(tmp_path / "a.csv.gz")).load(0)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_beyond_the_memory_is_refused(name, tmp_path, monkeypatch):
    header, *rows = long_rows(SAMPLES)
    frame = pd.DataFrame(rows, columns=header)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr("perdure.core.stored_array.available_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"takes 0.00 GB once it is read, .* only 0.00 GB of memory are available"):
        Table(str(tmp_path / name)).load(0)
