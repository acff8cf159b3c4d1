"""The study of real networks: its parts, their packages, speech and photographs as the networks read them."""

import csv
import importlib.util
import shutil

import pytest
import torch
from PIL import Image

from perdure.core.errors import DependencyError, LeftOutWarning, SettingError
from perdure.studies import _real, _speech
from perdure.studies._photographs import load_photograph
from perdure.studies._speech import load_speech
from perdure.studies._table import run_study
from perdure.studies.real_networks import PARTS, RealNetworks
from tests.data.files import write_mnist_idx

NO_PACKAGE = [importlib.util.find_spec(name) is None for name in ("resemblyzer", "efficientnet_lite_pytorch")]


@pytest.fixture
def files(tmp_path):
    write_mnist_idx(tmp_path, train=200, test=40)
    with (tmp_path / "reviews.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([f"a {word} film number {i}", word] for i in range(30) for word in ("good", "bad"))
    return {"reviews": str(tmp_path / "reviews.csv"), "mnist": str(tmp_path)}


SLOW = [pytest.param(part, marks=pytest.mark.slow) for part in ("reviews_lstm", "reviews_transformer")]


@pytest.mark.parametrize("part", [*SLOW, "mnist_rows"])
def test_a_part_with_files_of_the_user(part, files, tmp_path, monkeypatch):
    monkeypatch.setattr(_real, "predict", lambda model, batch: torch.eye(10)[batch.label])  # one epoch learns nothing
    rows = run_study(RealNetworks(**files, parts=(part,), smoke=True), tmp_path / "out")
    kept = {row.metric: row.value for row in rows if row.method == "input_iba"}
    assert {"insertion", "deletion", "kept", "kept_enough", "converged", "bits", "forward", "backward"} <= set(kept)
    assert {row.method for row in rows} >= {"input_iba", "random", "saliency", "occlusion"}
    compared = {row.comparison for row in rows if row.kind == "method difference"}
    assert compared == {"random", "saliency", "occlusion"}
    data, model = PARTS[part].dataset, PARTS[part].model
    assert f"## {data}, {model}" in (tmp_path / "out" / "conclusion.md").read_text()
    assert ">input_iba<" in (tmp_path / "out" / f"gallery-{data}-{model}.html").read_text()
    assert (tmp_path / "out" / f"{data}-{model}-insertion.png").exists()


def test_parts_without_packages_or_files_are_left_out(files, monkeypatch):
    monkeypatch.setattr(_real, "find_spec", lambda name: None)
    with pytest.warns(LeftOutWarning, match=r"'photographs' needs.*perdure\[networks\].*'speech' needs.*reviews=PATH"):
        study = RealNetworks(mnist=files["mnist"])
    assert [(cell.dataset, cell.seed) for cell in study.cells()] == [("mnist_rows", 0)]
    with pytest.raises(SettingError, match="no part can be computed"):
        RealNetworks()


def test_a_named_part_that_cannot_be_computed_is_an_error(monkeypatch):
    with pytest.raises(SettingError, match=r"'mnist_rows' needs a folder.*real_networks:mnist=PATH"):
        RealNetworks(parts=("mnist_rows",))
    with pytest.raises(SettingError, match="parts"):
        RealNetworks(parts=("mnist",))
    monkeypatch.setattr(_real, "find_spec", lambda name: None)
    with pytest.raises(DependencyError, match=r"'spliced_speech' needs the package 'resemblyzer'.*perdure\[speech\]"):
        RealNetworks(parts=("spliced_speech",))


def test_speech_without_espeak_is_an_error(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DependencyError, match=r"espeak-ng, which is not installed.*apt install espeak-ng"):
        _speech._synthesise("a word", "en-us", 150, 50)


def test_development_cases_are_apart(files):
    reported, development = (
        RealNetworks(**files, parts=("mnist_rows",), seeds=3, development=flag).cells() for flag in (False, True)
    )
    assert [cell.seed for cell in reported] == [0, 1, 2]
    assert [cell.seed for cell in development] == [100, 101, 102]
    assert not {voice for voice, _ in _speech.REPORTED} & {voice for voice, _ in _speech.DEVELOPMENT}


def test_a_photograph_is_cropped_and_normalised(tmp_path):
    picture = Image.new("RGB", (60, 40), (255, 0, 0))
    picture.paste((0, 255, 0), (0, 0, 5, 40))  # left of the middle square
    picture.save(tmp_path / "picture.png")
    x = load_photograph(tmp_path / "picture.png")
    assert x.shape == (3, 224, 224)
    torch.testing.assert_close(x[:, 0, 0], torch.tensor([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]))
    assert (x == x[:, :1, :1]).all()


@pytest.mark.slow
@pytest.mark.skipif(NO_PACKAGE[0] or shutil.which("espeak-ng") is None, reason="needs Resemblyzer and espeak-ng")
def test_the_speaker_network_recognises_voices():
    case = load_speech(100, True, 8, spliced=True)
    assert case.test.truth.float().mean() == 0.5
    assert (case.model(case.fit.inputs[:64]).argmax(1) == case.fit.label[:64]).float().mean() > 0.9


@pytest.mark.slow
@pytest.mark.skipif(NO_PACKAGE[1], reason="needs EfficientNet-lite0")
def test_the_bottleneck_of_efficientnet_is_a_block_and_not_uniform():
    from perdure.attribution._attribute import attribute
    from perdure.attribution.information_bottleneck import InformationBottleneck
    from perdure.studies._photographs import load_photographs

    case = load_photographs(100, True, 2)
    method = InformationBottleneck().fit(case.model, case.fit)
    assert method.inside.layer == "_blocks.9"
    values = attribute(case.model, case.test.inputs, method, target=case.test.label).values.sum(1).flatten(1)
    assert (values.amax(1) > 2.5 * values.mean(1)).all()
