import numpy as np
import pytest
import torch

from perdure.core.errors import DataError, SettingError
from perdure.core.registry import DATASETS
from perdure.data import event_texts
from perdure.data.event_texts import EventTexts
from perdure.data.planted_text import PlantedText
from perdure.models.hierarchical import Hierarchical
from tests.data.files import write_csv, write_imdb_parquet

SMALL = "planted_text:train=60,validation=10,test=20"


def load(**settings):
    return EventTexts(SMALL, **{"types": "clusters", "most": 6, "dimensions": 5} | settings).load(0)


def test_a_step_is_the_vector_and_the_type_of_its_word():
    splits, planted = load(), PlantedText(train=60, validation=10, test=20).load(0)
    for part, source in ((splits.train, planted.train), (splits.test, planted.test)):
        assert (part.id, part.label.tolist()) == (source.id, source.label.tolist())
        assert torch.equal(part.mask, source.mask)
        assert (part.inputs[~part.mask] == 0).all()
        assert (part.event[~part.mask] == -1).all()
        marks = part.inputs[..., 5:]
        assert torch.equal(marks.sum(2), (part.event >= 0).float())
        assert torch.equal(marks.argmax(2)[part.event >= 0], part.event[part.event >= 0])
        for word in source.inputs[source.mask].unique()[:20]:
            rows = part.inputs[(source.inputs == word) & source.mask]
            assert (rows == rows[0]).all()
    assert len(splits.types) == 6
    assert splits.vocabulary == ()


def test_words_that_matter_matter_in_their_vector_and_their_own_type():
    splits, planted = load(), PlantedText(train=60, validation=10, test=20).load(0)
    truth = splits.test.truth
    assert torch.equal(truth.any(2), planted.test.truth)
    assert torch.equal(truth[..., :5].all(2), planted.test.truth)
    assert (truth[..., 5:] <= splits.test.inputs[..., 5:].bool()).all()


def test_a_model_reads_it():
    splits = load()
    model = Hierarchical(4, (5,), types=6).build(splits.features, 2, torch.Generator().manual_seed(0))
    attention = model.attention(splits.test.inputs, splits.test.mask.sum(1))
    torch.testing.assert_close(attention.sum(1), (splits.test.event >= 0).any(1).float())


def test_real_reviews_come_from_local_files(tmp_path):
    write_imdb_parquet(tmp_path)
    splits = DATASETS.make(f"event_texts:source=imdb,path={tmp_path},types=clusters,most=4,dimensions=3").load(0)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [36, 4, 10]
    assert splits.classes == ("negative", "positive")
    rows = [["text", "label"], *([f"{('good', 'bad')[i % 2]} film", "ab"[i % 2]] for i in range(20))]
    table = EventTexts("text_table", str(write_csv(tmp_path / "a.csv", rows)), types="clusters", dimensions=2, texts=6)
    assert table.load(0).train.inputs.shape == (6, 2, 2 + 2)


def test_vectors_of_a_table_are_taken(tmp_path):
    np.savez(tmp_path / "a.npz", words=np.array(["the", "film"]), vectors=np.eye(2))
    splits = load(vectors=str(tmp_path / "a.npz"))
    assert splits.features == 2 + 2
    assert set(splits.types) == {"the", "film"}


def test_wordnet_is_taken_where_it_is_there(monkeypatch):
    query = []
    monkeypatch.setattr(event_texts, "has_wordnet", lambda: True)
    monkeypatch.setattr(event_texts, "wordnet_types", lambda *given: query.append(given[2:]) or _first(given[0]))
    assert load(types="auto").types == ("any",)
    assert load(types="hypernym").types == ("any",)
    assert query == [("lexicographer", 6), ("hypernym", 6)]
    monkeypatch.setattr(event_texts, "has_wordnet", lambda: False)
    assert load(types="auto").types == load().types


def _first(words):
    return event_texts.Types(torch.zeros(len(words), dtype=torch.int64), ("any",))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "boxes"}, "source is 'boxes'"),
        ({"types": "nouns"}, "types is 'nouns'"),
        ({"most": 0}, "most is 0"),
        ({"texts": 0}, "texts is 0"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(SettingError, match=message):
        EventTexts(**settings)


def test_an_unused_path_and_a_missing_one_are_named(tmp_path):
    with pytest.raises(SettingError, match="'planted_text' reads no file"):
        EventTexts(path="reviews").load(0)
    with pytest.raises(DataError, match="there is no file"):
        load(vectors=str(tmp_path / "none"))
