"""Made-up records of the third pillar, as `audit` writes them, of any size and with any names."""

import numpy as np

from perdure.core.estimate import Estimate, Verdict, write_estimate, write_verdict
from perdure.core.spec import slug
from perdure.report.charts.figure import new_figure, to_png
from perdure.report.pieces import Picture

MEASURES = ("Spearman", "Kendall", "top-3 Jaccard", "sign agreement", "cosine")
KINDS = ("linear", "valley", "bezier", "polychain", "band")


def undrawn(draw, alt, caption=""):
    """Replace `drawn` where only the order matters."""
    pixel = to_png(new_figure(0.1, 0.1), 10)
    return Picture(pixel, pixel, alt, caption)


def number(name, value, null=0.0, ceiling=1.0, better=True):
    return write_estimate(
        Estimate(value, null, ceiling, (value - 0.05, value + 0.05), name=name, higher_is_better=better)
    )


def reproduction(runs=4, methods=("attention", "gradient"), samples=60, types=("care", "fall", "visit"), name="seed"):
    """Runs of two families: even ones agree with even ones, odd with odd."""
    draw, names = np.random.default_rng(0), [f"{name} {i}" for i in range(runs)]
    family = np.arange(runs) % 2
    arrays = {"alike": np.where(np.eye(runs) > 0, 1.0, 0.93), "label": draw.integers(0, 2, samples)}
    for i, method in enumerate(methods):
        folder = slug(method)
        for j, measure in enumerate(MEASURES):
            noise = draw.normal(0, 0.04, (runs, runs))
            pairs = 0.75 - 0.4 * (family[:, None] != family) - 0.05 * (i + j) + (noise + noise.T) / 2
            arrays[f"pairs/{folder}/{measure}"] = np.where(np.eye(runs) > 0, np.nan, pairs)
        side = draw.integers(0, 3, samples)
        arrays[f"points/{folder}"] = draw.normal(0, 0.5, (samples, 2)) + np.array([[0, 0], [2, 1], [1, 3]])[side]
        away = (draw.random((runs, samples)) < 0.05 + 0.3 * family[:, None]) & (np.arange(runs)[:, None] > 0)
        arrays[f"cluster/{folder}"] = np.where(away, (side + 1) % 3, side)
        values = draw.gamma(2, 0.1, (runs, samples, len(types))) + 0.1 * family[:, None, None] * np.arange(len(types))
        arrays[f"top/{folder}"] = np.where(draw.random(values.shape) < 0.3, np.nan, values - 0.2 * (i % 2))
        arrays[f"top_types/{folder}"] = np.arange(len(types))
    scan = {"count": 3, "reason": "the best silhouette", "counts": [2, 3, 4, 5]}
    scan |= {"silhouettes": [0.41, 0.52, 0.44, 0.4], "inertias": [9.0, 4.0, 3.4, 3.1]}
    sentence = "Two trainings agree on the order of event types little more than chance."
    numbers = (Estimate(0.55, 0.0, 0.97, (0.48, 0.61), name="Spearman", higher_is_better=True),)
    return {
        "title": "Would a retrained model be explained the same way?",
        "subtitle": f"attention model on planted_events, {runs} runs, {samples} samples",
        "answer": sentence,
        "runs": [{"name": n, "folder": n, "accuracy": number("accuracy", 0.9, 0.5)} for n in names],
        "methods": list(methods),
        "verdict": write_verdict(
            Verdict("Do explanations survive retraining?", "partly", "warning", sentence, numbers)
        ),
        "agreements": [
            {"method": m, "number": number(name, 0.6 - 0.07 * i)} for m in methods for i, name in enumerate(MEASURES)
        ],
        "alike": number("equal predictions", 0.93, 0.5),
        "clusters": dict.fromkeys(methods, scan),
        "variance": [
            {"part": "sequence and type", "share": 0.46},
            {"part": "method", "share": 0.2},
            {"part": "run", "share": 0.21},
            {"part": "method and run", "share": 0.14},
            {"part": "rest", "share": -0.01},
        ],
        "remedies": [
            {"method": methods[0], "remedy": name, "number": number("Spearman", value)}
            for name, value in (("one run", 0.55), ("mean of 3 runs", 0.78), ("averaged weights", 0.61))
        ],
        "types": list(types),
        "classes": ["no", "yes"],
        "provenance": {"seed": 0, "model": "attention"},
    }, arrays


def paths(kinds=KINDS, methods=("attention", "gradient"), samples=60, points=17, types=("care", "fall", "visit")):
    """A ridge on the straight line, valleys elsewhere; half of the clusters change on the way."""
    draw, way, arrays, rows = np.random.default_rng(0), np.linspace(0, 1, points), {}, []
    for i, kind in enumerate(kinds):
        height = 0.6 / (1 + 6 * i)
        loss = 0.2 + 0.03 * way + height * np.sin(np.pi * way) ** 2 + draw.normal(0, 0.002, points)
        arrays |= {f"t/{kind}": way, f"loss/{kind}": loss, f"accuracy/{kind}": 0.95 - 0.5 * (loss - 0.2)}
        arrays[f"f1/{kind}"] = 0.94 - 0.6 * (loss - 0.2)
        barrier = write_estimate(
            Estimate(height, 0.6, 0.0, (height * 0.8, height * 1.2), name="barrier", higher_is_better=False)
        )
        cost = {"seconds": 12.5 * i, "passes": 3200.0 * i, "ended": "arrived", "length": 14.2 + i}
        noise = {"increase": height - 0.01, "noise": 0.04, "inside_noise": height < 0.04}
        rows.append({"kind": kind, "barrier": barrier, **noise, **cost})
        for method in methods:
            place = f"{slug(kind)}/{slug(method)}"
            fall = np.column_stack([1 - way * 0.5, 0.5 + way * 0.5]) - 0.05 * i + draw.normal(0, 0.01, (points, 2))
            for measure in MEASURES[:3]:
                arrays[f"drift/{place}/{measure}"] = fall
                arrays[f"neighbour/{place}/{measure}"] = np.r_[np.nan, 0.95 - 0.1 * way[1:]]
            arrays[f"ari/{place}"] = np.column_stack([fall, np.r_[np.nan, 0.9 - 0.2 * way[1:]]])
            start, leaves = draw.integers(0, 3, samples), draw.random(samples) * 2
            arrays[f"flow/{place}"] = np.where(way[:, None] > leaves, (start + 1) % 3, start)
            arrays[f"top/{place}"] = draw.normal(0, 0.01, (points, len(types))) + np.outer(way, np.arange(len(types)))
            arrays[f"top_types/{slug(method)}"] = np.arange(len(types))
    return {
        "title": "What lies between two trainings?",
        "subtitle": "seed 0 and seed 1 of the attention model on planted_events",
        "answer": "A path without a barrier joins both trainings, and their explanations change along it.",
        "ends": ["seed 0", "seed 1"],
        "aligned": {"before": 21.3, "after": 14.2},
        "methods": list(methods),
        "kinds": rows,
        "agreements": [{"kind": k, "method": m, "number": number("Spearman", 0.7)} for m in methods for k in kinds],
        "classes": ["no", "yes"],
        "types": list(types),
        "provenance": {"seed": 0},
    }, arrays
