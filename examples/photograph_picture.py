"""Draw a photograph and maps of EfficientNet-lite0: python examples/photograph_picture.py picture.png.

It needs `pip install 'perdure[networks,captum,report]'`. The photograph is `coffee` of scikit-image, dedicated to the
public domain (CC0) by Rachel Michetti.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import perdure
from perdure.report.charts.figure import to_png
from perdure.studies._photographs import MEAN, STD, load_photographs

METHODS = {
    "integrated gradients": "integrated_gradients:steps=64",
    "Grad-CAM": "grad_cam",
    "information bottleneck": "information_bottleneck",
    "InputIBA": "input_iba",
}

case = load_photographs(seed=100, development=True, samples=2)
x, label = case.test.inputs[1:], case.test.label[1:]
photograph = (x[0] * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None]).clamp(0, 1).movedim(0, -1)
figure, axes = plt.subplots(1, 1 + len(METHODS), figsize=(12, 3.1), layout="constrained")
probability = case.model(x).softmax(1)[0, label].item()
axes[0].set_title(f"espresso, {probability:.2f}", fontsize=10)
axes[0].imshow(photograph.numpy())
for axis, (title, name) in zip(axes[1:], METHODS.items(), strict=True):
    method = perdure.METHODS.make(name)
    method = method.fit(case.model, case.fit) if hasattr(method, "fit") else method
    attribution = perdure.attribute(case.model, x, method, target=label)
    scores = perdure.evaluate(attribution, ["insertion:points=32", "deletion:points=32"], draws=1)
    insertion, deletion = (score.values.item() for score in scores.values())
    values = attribution.values[0].sum(0).clamp(min=0)
    axis.imshow(photograph.mean(-1).numpy(), cmap="gray")
    axis.imshow(values.numpy(), cmap="magma", alpha=0.75, vmax=values.flatten().quantile(0.995).item())
    axis.set_title(f"{title}\ninsertion {insertion:.2f}, deletion {deletion:.2f}", fontsize=10)
for axis in axes:
    axis.axis("off")
Path(sys.argv[1]).write_bytes(to_png(figure))
