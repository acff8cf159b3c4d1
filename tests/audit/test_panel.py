"""The methods of default panels."""

import pytest

from perdure.audit.modality import IMAGES, SERIES, TEXTS
from perdure.audit.panel import choose_panel, is_control, locate_evidence
from perdure.core.registry import METHODS
from perdure.core.spec import strip_settings

PANEL = ["saliency", "input_x_gradient", "integrated_gradients", "occlusion", "shapley_sampling", "input_iba"]


@pytest.mark.parametrize(
    ("modality", "sizes"),
    [
        (SERIES, (100, 6)),
        (SERIES, (1, 3)),
        (SERIES, (7, 1)),
        (SERIES, (5000, 400)),
        (TEXTS, (60, 50)),
        (TEXTS, (1, 8)),
        (IMAGES, (1, 28, 28)),
        (IMAGES, (3, 2, 224)),
    ],
)
def test_windows_bound_the_number_of_passes(modality, sizes):
    panel = choose_panel(modality, sizes)
    assert [strip_settings(name) for name in panel] == [*PANEL, "attention", "grad_cam", "random"]
    assert [is_control(name) for name in panel].count(True) == 1
    made = {strip_settings(name): METHODS.make(name) for name in panel}
    window = made["occlusion"].window
    if isinstance(window, tuple):
        windows = -(-sizes[0] // window[0]) * -(-sizes[1] // window[1])
    else:
        windows = -(-sizes[0] // window) if len(sizes) == 2 else -(-sizes[1] // window) * -(-sizes[2] // window)
    assert windows <= 121 or min(sizes) == 2
    assert made["shapley_sampling"].window <= max(sizes)


def test_the_occlusion_of_the_panel_locates_the_evidence():
    assert locate_evidence(("saliency", "occlusion:window=[5, 1]"), 100) == "occlusion:window=[5, 1]"
    assert locate_evidence(("saliency",), 100) == "occlusion:window=5"
