"""Pages of run folders that hold maps, scores or trained models."""

import numpy as np
import pytest

from perdure.core.errors import PerdureError
from perdure.records.attributions import read_attributions
from perdure.records.plan import ExpectedFiles, Plan, write_plan
from perdure.records.run import open_run, read_run
from perdure.report.pages.explained import _add, _Means, build_explained_page
from perdure.report.pages.page import render
from perdure.report.pages.training import build_training_page
from perdure.report.pages.write import write_page
from perdure.report.pieces import Gallery, Numbers, Sentences
from tests.report.conftest import HOSTILE
from tests.view.folders import write_folder


def write_run(folder, kind="series", rows=70, **given):
    """A folder as 'perdure explain' and 'evaluate' write it, in which all maps lie in one folder."""
    write_folder(folder / "made", kind, rows, methods=("saliency",), **given)
    open_run(folder / "run", {"model": "lstm", "data": "made up", "method": "saliency", "seed": 0, "split": "test"})
    (folder / "made/maps/0/0").rename(folder / "run/maps")
    (folder / "run/scores").mkdir()
    (folder / "made/scores/0/0").rename(folder / "run/scores/insertion")
    (folder / "made/samples").rename(folder / "run/samples")
    return folder / "run"


def titles(page):
    return [section.title for section in page.sections]


def test_images_have_a_mean_map_of_each_class(tmp_path):
    page = build_explained_page(read_run(write_run(tmp_path, "images")))
    assert titles(page)[:4] == ["Mean map of each class", "Samples", "Scores", "Curves"]
    (means,) = page.sections[0].pieces
    assert [panel.caption for panel in means.rows[0][1]] == ["no (35 samples)", "yes (35 samples)"]
    assert page.sections[1].pieces[0].rows[0][0] == "sample 0: class no, predicted yes (wrong)"
    assert [panel.caption for panel in page.sections[1].pieces[0].rows[0][1]] == ["image", "saliency"]


def test_series_of_different_lengths_and_texts_have_no_mean_map(tmp_path):
    for kind, piece in (("series", Gallery), ("texts", Sentences)):
        page = build_explained_page(read_run(write_run(tmp_path / kind, kind)))
        assert titles(page)[0] == "Samples"
        assert isinstance(page.sections[0].pieces[0], piece)
        assert isinstance(page.sections[1].pieces[0], Numbers)


def test_a_folder_of_maps_gets_its_page(tmp_path):
    page = write_page(write_run(tmp_path))
    assert "saliency" in page.read_text()


def test_hostile_names_are_shown_as_text(tmp_path):
    run = write_run(tmp_path, "series", classes=(HOSTILE, "b"), features=(HOSTILE, "b", "c"))
    html = render(build_explained_page(read_run(run)))
    assert "<script" not in html
    assert "<img src=x" not in html


@pytest.mark.parametrize("history", [True, False])
def test_trainings_are_drawn_by_step(tmp_path, history):
    open_run(tmp_path / "run", {"model": {"name": "lstm"}, "data": "made up"})
    for seed in range(2):
        place = tmp_path / f"run/seed-0000{seed}"
        place.mkdir()
        (place / "model.yaml").write_text(f"extra: {{seed: {seed}, test_accuracy: 0.{6 + seed}}}\n")
        if history:
            rows = [f"{step},0.{9 - step},0.{9 - step},0.{step}" for step in range(1, 9)]
            (place / "history.csv").write_text("\n".join(["step,loss,validation_loss,validation_accuracy", *rows]))
    page = build_training_page(read_run(tmp_path / "run"))
    assert page.lead == "The trained models have a test accuracy of 0.650 on average (0.600 to 0.700)."
    losses = page.sections[0].pieces[0]
    if history:
        assert [chart.title for chart in losses.charts] == ["training loss", "validation loss"]
        assert [line.name for line in losses.legend] == ["seed-00000", "seed-00001"]
    else:
        assert "no history" in losses.paragraphs[0]
    assert write_page(tmp_path / "run").exists()


@pytest.mark.parametrize("content", ["extra: 3", "][", "model: {}", "extra: {test_accuracy: x}"])
def test_a_damaged_model_is_named(tmp_path, content):
    open_run(tmp_path / "run", {"model": "lstm"})
    (tmp_path / "run/seed-00000").mkdir()
    (tmp_path / "run/seed-00000/model.yaml").write_text(content)
    with pytest.raises(PerdureError, match="is damaged"):
        write_page(tmp_path / "run")


def test_an_empty_run_is_named(tmp_path):
    open_run(tmp_path / "run", {"model": "lstm"})
    write_plan(tmp_path / "run", Plan(("explain",), (ExpectedFiles("maps", "maps/part-*.parquet", 4),)))
    with pytest.raises(PerdureError, match="contains no record"):
        write_page(tmp_path / "run")
    (tmp_path / "run/maps").mkdir()
    with pytest.raises(PerdureError, match="holds no maps yet"):
        write_page(tmp_path / "run")


def test_mean_maps_count_every_sample_alike(tmp_path):
    run = write_run(tmp_path, "images", rows=4)
    (maps,) = read_attributions(run)
    means = _Means()
    _add(means, maps)
    values = maps.attribution.values.sum(1).numpy()
    even = values / np.abs(values).mean((1, 2), keepdims=True)
    np.testing.assert_allclose(means.sums[0], even[[0, 2]].sum(0), rtol=1e-5)
