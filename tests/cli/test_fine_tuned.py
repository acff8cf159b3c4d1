"""A language model of Hugging Face, fine-tuned from several seeds by the command line, and audited across runs."""

import json

import pytest
import torch

from tests.cli.shell import run

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film", "play")
QUICK = ("--train-settings", "epochs=1", "--method", "gradient")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    place = tmp_path_factory.mktemp("base")
    transformers.utils.logging.disable_progress_bar()
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=8, **sizes)
    with torch.random.fork_rng():
        transformers.BertModel(config).save_pretrained(place)
    transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    table = tmp_path_factory.mktemp("data") / "reviews.csv"
    rows = [
        f"{'good' if i % 2 else 'bad'} {'film' if i % 3 else 'play'},{'pos' if i % 2 else 'neg'}" for i in range(40)
    ]
    table.write_text("\n".join(["text,label", *rows]) + "\n")
    return f"text_table:path={table}"


def test_an_audit_of_a_base_model_compares_runs(base, data, tmp_path):
    arguments = ("audit", f"hf:{base}", data, "--samples", 6, "--runs", 2, *QUICK, "--out", tmp_path, "--json")
    (model,) = json.loads(run(*arguments))["models"]
    verdict = model["verdicts"][-1]
    assert verdict["question"] == "Would a retrained model be explained the same way?"
    assert "is unknown" not in verdict["sentence"]
    assert len(list(tmp_path.rglob("model.safetensors"))) == 2


def test_a_fine_tuned_run_reads_texts_in_the_tokens_of_its_model(base, data, tmp_path):
    run("train", f"hf:{base}", data, "--train-settings", "epochs=1", "--out", tmp_path / "run")
    run("explain", tmp_path / "run", data, "--method", "gradient", "--out", tmp_path / "maps")
    assert "vanishing" in run("evaluate", tmp_path / "maps", "--metric", "vanishing")
