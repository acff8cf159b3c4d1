"""Train a network, explain it, evaluate the maps and show them."""

import perdure

splits = perdure.data.Boxes("latter", train=200, test=50, size=20).load(seed=0)
model = perdure.train("lstm", splits, seed=0)
attribution = perdure.attribute(model, splits.test, "integrated_gradients:tolerance=0.001", target=splits.test.label)
scores = perdure.evaluate(attribution, ["auprc", "insertion"])
for name, score in scores.items():
    null, value, ceiling = (part.mean().item() for part in (score.null, score.values, score.ceiling))
    print(f"{name} {value:.2f}, null {null:.2f}, ceiling {ceiling:.2f}")
attribution.show()  # draws itself in a notebook; its .html is the page as text
