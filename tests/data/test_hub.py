import json
import sys
import time

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from perdure.core.errors import DataError, DependencyError, LabelError, LengthError, SettingError
from perdure.core.registry import DATASETS
from perdure.data import hub
from perdure.data.amazon_polarity import AmazonPolarity
from perdure.data.hub import Hub
from tests.data.files import reviews, write_imdb_parquet


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Keep what the package datasets writes out of the cache of the user."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "data"
    path.mkdir()
    return path


def write(folder, features=None, **parts):
    for name, columns in parts.items():
        table = pa.table(columns)
        if features:
            info = json.dumps({"info": {"features": features}})
            table = table.replace_schema_metadata({"huggingface": info})
        pq.write_table(table, folder / f"{name}-00000-of-00001.parquet")
    return str(folder)


def columns(count, labels=(0, 1)):
    texts, label = reviews(count)
    return {"text": texts, "label": [labels[item] for item in label]}


def sizes(splits):
    return [len(part) for part in (splits.train, splits.validation, splits.test)]


def test_published_parts_are_kept(folder):
    splits = Hub(path=write(folder, train=columns(20), validation=columns(4), test=columns(6))).load(0)
    assert (sizes(splits), splits.classes) == ([20, 4, 6], ("0", "1"))
    assert splits.test.id[0] == "test-000000"
    texts, label = reviews(6)
    assert [text.text for text in splits.test.text] == texts
    assert splits.test.label.tolist() == label


def test_what_is_missing_is_held_out_or_drawn(folder):
    hidden = columns(6, (-1, -1))
    assert sizes(Hub(path=write(folder, train=columns(20), test=columns(6))).load(0)) == [16, 4, 6]
    assert sizes(Hub(path=write(folder, test=hidden, validation=columns(4))).load(0)) == [16, 4, 4]
    (folder / "validation-00000-of-00001.parquet").unlink()
    assert sizes(Hub(path=str(folder)).load(0)) == [12, 4, 4]


def test_classes_have_the_names_of_the_dataset(folder):
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "<b>pos</b>"], "_type": "ClassLabel"},
    }
    splits = Hub(path=write(folder, features, train=columns(20), test=columns(6))).load(0)
    assert splits.classes == ("neg", "<b>pos</b>")
    (folder / "other").mkdir()
    splits = Hub(path=write(folder / "other", train=columns(20, ("no", "yes")), test=columns(6, ("no", "yes")))).load(0)
    assert splits.classes == ("no", "yes")


def test_amazon_polarity_is_read_from_its_columns(folder):
    result = columns(20)
    result = {"title": ["-"] * 20, "content": result["text"], "label": result["label"]}
    assert sizes(AmazonPolarity(write(folder, train=result, test=result), texts=10).load(0)) == [8, 2, 10]


def test_the_files_of_the_hub_are_requested(monkeypatch, tmp_path):
    write_imdb_parquet(tmp_path)
    query = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **_: query.append(name) or str(tmp_path))
    dataset = DATASETS.make("hub:id=stanfordnlp/imdb,texts=20")
    assert sizes(dataset.load(0)) == [16, 4, 10]
    assert query == ["stanfordnlp/imdb"]


@pytest.mark.parametrize("dataset", [Hub("somebody/something"), AmazonPolarity()])
def test_without_a_network_the_local_way_is_named_at_once(monkeypatch, dataset):
    """No name is resolved repeatedly: the socket rejects, and the cache is read once."""

    def reject(*_, **__):
        raise OSError

    monkeypatch.setattr(hub.socket, "create_connection", reject)
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"is not in the cache .* give path= a local folder"):
        dataset.load(0)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"test": columns(6)}, DataError, "has no part 'train' with labels among 'test'"),
        ({"train": columns(6, (0, 0))}, LabelError, "every text has '0' in column 'label'"),
        ({"train": columns(6, (0, -1))}, LabelError, "row 2, column 'label' of the train texts is empty"),
        ({"train": {"text": ["a", " "], "label": [0, 1]}}, LengthError, "row 2, column 'text' of the train texts"),
        ({"train": {"words": ["a", "b"], "label": [0, 1]}}, DataError, "no column 'text' among 'words', 'label'"),
        ({"train": columns(9), "test": columns(2, (2, 2))}, LabelError, "test sample 'test-000000' has the class '2'"),
    ],
)
def test_what_cannot_be_used_is_named(parts, error, message, folder):
    with pytest.raises(error, match=message):
        Hub(path=write(folder, **parts)).load(0)


def test_folders_and_settings_that_cannot_be_used_are_named(folder):
    with pytest.raises(SettingError, match="needs an id"):
        Hub()
    with pytest.raises(DataError, match="there is no folder"):
        Hub(path=str(folder / "none")).load(0)
    with pytest.raises(DataError, match="cannot be read"):
        Hub(path=str(folder)).load(0)


def test_a_missing_package_is_named(monkeypatch, folder):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DependencyError, match=r"perdure\[text\]"):
        Hub(path=str(folder)).load(0)
