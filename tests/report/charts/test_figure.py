import sys

import matplotlib
import pytest

from perdure.core.errors import DependencyError
from perdure.report.charts.figure import add_legend, import_for_drawing, new_figure, style_axes, to_png, wrap_label
from perdure.report.charts.palette import LIGHT
from tests.report.conftest import HOSTILE


def test_equal_figures_give_equal_bytes():
    def draw():
        figure = new_figure(2, 1)
        style_axes(figure.add_subplot(), LIGHT)
        return to_png(figure)

    assert draw() == draw()


def test_no_global_state_is_touched():
    before = dict(matplotlib.rcParams)
    to_png(new_figure(1, 1))
    assert dict(matplotlib.rcParams) == before


def test_any_text_can_be_drawn_as_it_is():
    figure = new_figure(4, 2)
    axes = figure.add_subplot()
    axes.set_title(wrap_label(HOSTILE))
    add_legend(figure, axes.plot([0, 1]), [HOSTILE], LIGHT)
    assert to_png(figure)
    assert figure.legends[0].get_texts()[0].get_text().startswith("</script>")


def test_long_text_ends_after_three_lines():
    lines = wrap_label("word " * 100, 20).split("\n")
    assert len(lines) == 3
    assert lines[2].endswith("…")


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_a_missing_package_names_the_extra(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(DependencyError, match=rf"'{package}'.*pip install 'perdure\[report\]'"):
        import_for_drawing(package)


@pytest.mark.parametrize("count", [1, 3, 9])
@pytest.mark.parametrize("name", ["a", "integrated_gradients:steps=32,baseline=mean of the class", "W" * 120])
def test_a_legend_is_never_cut_off(count, name):
    figure = new_figure(7.2, 3.0)
    axes = figure.add_subplot()
    handles = [axes.plot([0, 1], [i, i])[0] for i in range(count)]
    add_legend(figure, handles, [f"{name} {i}" for i in range(count)], LIGHT)
    figure.canvas.draw()
    legend, paper = figure.legends[0].get_window_extent(), figure.bbox
    assert legend.x0 >= paper.x0 - 1
    assert legend.x1 <= paper.x1 + 1
    assert legend.y0 >= paper.y0
    assert axes.get_window_extent().height > 100
