"""A language model that learns to classify: what is drawn follows from the seed, all else from its folder."""

import pytest
import torch

from perdure.core.errors import CheckpointError
from perdure.core.random import stream
from perdure.models._from_transformers import is_classifier
from perdure.models.fine_tuned import FineTuned

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "film", "was", "good", "bad")
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
CONFIG = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=12, **SIZES)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    place = tmp_path_factory.mktemp("base")
    transformers.utils.logging.disable_progress_bar()
    with torch.random.fork_rng():
        transformers.BertModel(CONFIG).save_pretrained(place)
    transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(place)
    return place


def weights(folder, seed, classes=3):
    before = torch.random.get_rng_state()
    model = FineTuned(str(folder)).build(0, classes, stream(seed))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert model.training
    return model.model.state_dict()


def test_seeds_share_what_the_folder_holds_and_draw_the_head(base):
    first, again, other = (weights(base, seed) for seed in (0, 0, 1))
    stored = transformers.BertModel.from_pretrained(base).state_dict()
    assert (
        first.keys() == other.keys() == {*(f"bert.{name}" for name in stored), "classifier.weight", "classifier.bias"}
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert all(torch.equal(first[f"bert.{name}"], weight) for name, weight in stored.items())
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])
    assert first["classifier.weight"].shape == (3, 8)


def test_without_weights_all_are_drawn(base, tmp_path):
    CONFIG.save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path)
    name = "bert.embeddings.word_embeddings.weight"
    assert torch.equal(weights(tmp_path, 0)[name], weights(tmp_path, 0)[name])
    assert not torch.equal(weights(tmp_path, 0)[name], weights(tmp_path, 1)[name])


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    """A folder of which transformers makes a tokenizer without words."""
    CONFIG.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="holds no tokenizer"):
        weights(tmp_path, 0)


def test_a_changed_file_is_another_model(base, tmp_path):
    for path in base.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert FineTuned(str(tmp_path)).digest == FineTuned(str(base)).digest
    (tmp_path / "model.safetensors").write_bytes(b"other")
    assert FineTuned(str(tmp_path)).digest != FineTuned(str(base)).digest
    with pytest.raises(CheckpointError, match="no text classifier that can be used"):
        weights(tmp_path, 0)


def test_what_is_trained_and_what_is_yet_to_be(base, tmp_path):
    assert not is_classifier(base)
    with torch.random.fork_rng():
        model = transformers.BertForSequenceClassification(CONFIG)
    model.save_pretrained(tmp_path)
    assert is_classifier(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    assert not is_classifier(tmp_path)
