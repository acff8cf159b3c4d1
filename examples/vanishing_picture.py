"""Draw the mean maps of an audit: python examples/vanishing_picture.py runs/demo picture.png."""

import sys
from pathlib import Path

import numpy as np

from perdure.report.charts.figure import to_png
from perdure.report.charts.mosaic import draw_moving_boxes

run, picture = map(Path, sys.argv[1:])
with np.load(run / "audit.npz") as arrays:
    means = {
        name.split("/")[1].replace("_", " "): arrays[name][None] for name in arrays if name.startswith("mean_map/")
    }
    truth = arrays["mean_truth"][None]
picture.write_bytes(to_png(draw_moving_boxes(means, ["mean saliency"], truth)))
