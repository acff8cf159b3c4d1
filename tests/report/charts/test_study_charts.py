import numpy as np
import pandas as pd
import pytest

from perdure.report.charts.figure import to_png
from perdure.report.charts.study_charts import draw_intervals

TABLE = {
    "group": ["earlier", "earlier", "latter"],
    "series": ["LSTM", "$_x", "LSTM"],
    "value": [0.1, 0.3, 0.2],
    "low": [0.05, 0.25, 0.15],
    "high": [0.15, 0.35, 0.25],
    "null": [0.2, 0.2, 0.1],
    "ceiling": [1.0, 1.0, 0.9],
}


@pytest.mark.parametrize("table", [TABLE, pd.DataFrame(TABLE)])
def test_every_point_and_its_bounds_are_drawn(table):
    figure = draw_intervals(table, "weighted Jaccard")
    axes = figure.axes[0]
    bounds = [line.get_xdata()[0] for line in axes.lines]
    assert bounds == [0.2, 1.0, 0.1, 0.9]
    points = np.concatenate(
        [c.get_offsets() for c in axes.collections if len(c.get_offsets()) and c.get_paths()[0].codes is not None]
    )
    assert {0.1, 0.2, 0.3} <= set(np.round(points[:, 0], 6))
    assert [text.get_text() for text in axes.get_yticklabels()] == ["earlier", "latter"]


def test_published_numbers_are_diamonds_in_the_legend():
    figure = draw_intervals({**TABLE, "published": [0.0, np.nan, 0.019]}, "weighted Jaccard")
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "published"
    assert to_png(figure, 40)
