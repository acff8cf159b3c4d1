"""Train a network, explain it, and evaluate the maps."""

import perdure
from perdure.data.boxes import Boxes
from perdure.models._presets import PRESETS
from perdure.training.settings import CLEAN
from perdure.training.train import train

splits = Boxes("latter", train=200, test=50, size=20).load(seed=0)
model = train(PRESETS["lstm"], splits, CLEAN, seed=0).model
test = splits.test
attribution = perdure.attribute(model, test, "integrated_gradients:tolerance=0.001", target=test.label)
score = perdure.evaluate(attribution, "auprc")
print(f"AUPRC {score.values.mean():.2f}, null {score.null.mean():.2f}, ceiling {score.ceiling.mean():.2f}")
