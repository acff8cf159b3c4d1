import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perdure.cli.inputs import load_data
from perdure.core.errors import DataError, LabelError, LengthError, SettingError
from perdure.data.text_table import TextTable
from tests.data.files import reviews, write_csv

HOSTILE = '<script>alert("x")</script> & <unk>'


def rows(count=20):
    texts, label = reviews(count)
    return [["text", "label"], *([text, ("bad", "good")[item]] for text, item in zip(texts, label, strict=True))]


def pairs(splits):
    return sorted(
        (text.text, splits.classes[label])
        for part in (splits.train, splits.validation, splits.test)
        for text, label in zip(part.text, part.label.tolist(), strict=True)
    )


def test_every_format_holds_the_same_texts(tmp_path):
    cells = rows()
    expected = sorted(map(tuple, cells[1:]))
    write_csv(tmp_path / "a.csv", cells)
    records = [dict(zip(cells[0], row, strict=True)) for row in cells[1:]]
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    for name in ("csv", "parquet", "jsonl"):
        splits = TextTable(str(tmp_path / f"a.{name}")).load(0)
        assert pairs(splits) == expected
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [12, 4, 4]
    assert pairs(load_data(str(tmp_path / "a.jsonl"), 0)) == expected


def test_hostile_text_is_kept_unchanged(tmp_path):
    cells = [["words", "kind"], *([HOSTILE if i % 2 else "=1+1,\nplain", "<b>"[: 1 + i % 2]] for i in range(20))]
    splits = TextTable(str(write_csv(tmp_path / "a.csv", cells)), text="words", label="kind").load(0)
    assert {text for text, _ in pairs(splits)} == {HOSTILE, "=1+1,\nplain"}
    assert splits.classes == ("<", "<b")
    hostile = next(text for text in splits.train.text if text.text == HOSTILE)
    assert hostile.tokens[:4] == ("<", "script", ">", "alert")
    assert splits.vocabulary.count("<unk>") == 1


def test_words_are_learnt_from_training_samples_alone(tmp_path):
    marks = ["train"] * 4 + ["test"] * 2
    cells = [["text", "label", "split"], *([f"word{i}", "ab"[i % 2], marks[i]] for i in range(6))]
    splits = TextTable(str(write_csv(tmp_path / "a.csv", cells))).load(0)
    assert splits.test.id == ("row-000005", "row-000006")
    assert set(splits.vocabulary[2:]) == {text.text for text in splits.train.text}
    assert (splits.test.inputs == 0).all()


def test_fewer_texts_are_drawn_with_classes_in_proportion(tmp_path):
    splits = TextTable(str(write_csv(tmp_path / "a.csv", rows(40))), texts=6).load(0)
    assert [part.label.bincount().tolist() for part in (splits.train, splits.validation, splits.test)] == [[3, 3]] * 3


BAD = {
    "empty": (["  ", "good"], LengthError, "row 21, column 'text' has no text"),
    "no label": (["fine", ""], DataError, "row 21, column 'label' is empty"),
    "no token": (["<br />", "good"], LengthError, "'row-000021' has no token"),
}


@pytest.mark.parametrize(("row", "error", "message"), BAD.values(), ids=BAD)
def test_rows_that_cannot_be_used_are_named(row, error, message, tmp_path):
    with pytest.raises(error, match=message):
        TextTable(str(write_csv(tmp_path / "a.csv", [*rows(), row]))).load(0)


def test_a_class_without_training_texts_is_named(tmp_path):
    marked = [[*row, "split" if i == 0 else "train"] for i, row in enumerate(rows())]
    with pytest.raises(LabelError, match="test sample 'row-000021' has the class 'fair'"):
        TextTable(str(write_csv(tmp_path / "a.csv", [*marked, ["so so", "fair", "test"]]))).load(0)


def test_columns_and_settings_that_cannot_be_used_are_named(tmp_path):
    path = str(write_csv(tmp_path / "a.csv", rows()))
    with pytest.raises(DataError, match=r"no column 'review' among 'text', 'label'.*text="):
        TextTable(path, text="review").load(0)
    with pytest.raises(SettingError, match="max_length is 0"):
        TextTable(path, max_length=0)
    with pytest.raises(LengthError, match=r"'row-.*tokens, where 3 are allowed"):
        TextTable(path, max_length=3, cut=False).load(0)
    pq.write_table(pa.table({"text": [1, 2], "label": ["a", "b"]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="column 'text' holds int64"):
        TextTable(str(tmp_path / "a.parquet")).load(0)
