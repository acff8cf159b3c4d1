import sys

import huggingface_hub
import pytest

from perdure.core.errors import DataError, DependencyError, EmptyDataError, LabelError, LengthError
from perdure.data.imdb import IMDB
from tests.data.files import reviews, write_imdb_folder, write_imdb_parquet


@pytest.fixture(params=[write_imdb_parquet, write_imdb_folder], ids=["parquet", "folder"])
def folder(request, tmp_path):
    request.param(tmp_path)
    return tmp_path


def pairs(*batches):
    result = [zip(batch.text, batch.label.tolist(), strict=True) for batch in batches]
    return sorted((text.text, label) for group in result for text, label in group)


def test_both_formats_hold_the_same_reviews(folder):
    splits = IMDB(str(folder)).load(0)
    assert pairs(splits.train, splits.validation) == sorted(zip(*reviews(40, 0), strict=True))
    assert pairs(splits.test) == sorted(zip(*reviews(10, 1), strict=True))
    assert splits.validation.label.bincount().tolist() == [2, 2]
    assert splits.classes == ("negative", "positive")


def test_words_are_learnt_from_training_samples_alone(folder):
    splits = IMDB(str(folder), texts=20).load(0)
    words = {token.lower() for text in splits.train.text for token in text.tokens}
    assert set(splits.vocabulary) == {"<unk>", "<pad>"} | words
    assert len(IMDB(str(folder), vocabulary=3).load(0).vocabulary) == 5


def test_fewer_reviews_are_drawn_with_classes_in_proportion(folder):
    splits = IMDB(str(folder), texts=20).load(0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [18, 2, 10]
    assert splits.train.label.bincount().tolist() == [9, 9]


def test_a_long_review_is_cut_or_refused(folder):
    assert IMDB(str(folder), max_length=3).load(0).train.inputs.shape == (36, 3)
    with pytest.raises(LengthError, match="where 3 are allowed"):
        IMDB(str(folder), max_length=3, cut=False).load(0)


def test_the_files_of_the_hub_are_requested(monkeypatch, tmp_path):
    write_imdb_parquet(tmp_path)
    query = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: query.append(name) or str(tmp_path))
    assert len(IMDB().load(0).test) == 10
    assert query == ["stanfordnlp/imdb"]


def test_no_network_is_named(monkeypatch):
    def fail(*_args, **_settings):
        raise ConnectionError

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DataError, match="hub cannot be reached"):
        IMDB().load(0)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no train files"):
        IMDB(str(tmp_path)).load(0)
    (tmp_path / "train-00000-of-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        IMDB(str(tmp_path)).load(0)


def test_too_few_reviews_to_hold_some_out_are_named(folder):
    with pytest.raises(EmptyDataError, match="there is no text"):
        IMDB(str(folder), texts=2).load(0)


def test_reviews_without_a_label_are_refused(tmp_path):
    write_imdb_parquet(tmp_path)
    unlabelled = tmp_path / "plain_text" / "unsupervised-00000-of-00001.parquet"
    unlabelled.rename(tmp_path / "plain_text" / "train-00000-of-00001.parquet")
    with pytest.raises(LabelError, match=r"labels \[-1\]"):
        IMDB(str(tmp_path)).load(0)


def test_a_missing_package_is_named(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DependencyError, match=r"perdure\[text\]"):
        IMDB(str(folder)).load(0)


@pytest.mark.parametrize("write", [write_imdb_parquet, write_imdb_folder])
def test_the_files_of_one_part_are_split_by_the_seed(write, tmp_path):
    write(tmp_path, test=20)
    for path in [*tmp_path.rglob("train*.parquet"), *tmp_path.rglob("train/*/*.txt")]:
        path.unlink()
    splits = IMDB(str(tmp_path)).load(0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [12, 4, 4]
