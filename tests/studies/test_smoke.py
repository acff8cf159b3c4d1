"""Every study in the size that runs in seconds, through the entry point of users."""

import csv
import math

import pytest

from perdure.studies._table import run_study
from perdure.studies.bottleneck_series import BottleneckSeries
from perdure.studies.bottleneck_text import BottleneckText
from perdure.studies.bottleneck_vision import BottleneckVision
from perdure.studies.explanation_reproducibility import ExplanationReproducibility
from perdure.studies.mnist_saliency import MNISTSaliency
from perdure.studies.nearby_agreement import NearbyAgreement
from perdure.studies.necessary_boxes import NecessaryBoxes

STUDIES = {
    "necessary_boxes": NecessaryBoxes(seeds=1, smoke=True, models=("lstm", "lstm_positional_input_cell_attention")),
    "bottleneck_series": BottleneckSeries(seeds=1, smoke=True),
    "bottleneck_text": BottleneckText(seeds=1, smoke=True),
    "bottleneck_vision": BottleneckVision(seeds=1, smoke=True),
    "mnist_saliency": MNISTSaliency(seeds=1, smoke=True),
    "explanation_reproducibility": ExplanationReproducibility(
        seeds=4,
        smoke=True,
        models=("attention:dense_size=4,hidden_sizes=[4]",),
        methods=("attention", "gradient"),
        samples=8,
    ),
    "nearby_agreement": NearbyAgreement(
        seeds=3,
        smoke=True,
        methods=("gradient", "saliency", "input_x_gradient", "integrated_gradients:steps=8", "occlusion"),
        samples=8,
        neighbours=2,
    ),
}


@pytest.mark.filterwarnings("ignore::perdure.core.errors.CompletenessWarning")  # DeepLIFT on a maximum
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_in_its_smoke_size(name, tmp_path):
    run_study(STUDIES[name], tmp_path)
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["study"] for row in rows} == {name}
    for row in rows:
        assert all(math.isfinite(float(row[key])) for key in ("value", "null", "ceiling"))
    figures = list(tmp_path.glob("*.png"))
    assert len(figures) >= 4
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in figures)
    for gallery in tmp_path.glob("gallery.html"):
        assert all(f">{method}<" in gallery.read_text() for method in ("input_iba", "random", "saliency", "occlusion"))
    assert (tmp_path / "gallery.html").exists() == name.startswith("bottleneck")
