"""Curves of perturbation site by site, one sample and one call of the model at a time."""

import math
from itertools import pairwise

import torch


def order_of(worth):
    """Places from the highest worth down, ties by index."""
    return sorted(range(len(worth)), key=lambda i: (-worth[i], i))


def walk(function, start, end, places, order, step):
    """Scores before the first and after every step; `places` holds the sites of each place as a mask."""
    x = start.clone()
    scores = [function(x)]
    for first in range(0, len(order), step):
        for place in order[first : first + step]:
            x = x.clone()
            x[places[place]] = end[places[place]]
        scores.append(function(x))
    return scores


def area(scores, step, total):
    """Trapezoids over the fraction of the sites that are perturbed; the last step may be shorter."""
    at = [min(i * step, total) / total for i in range(len(scores))]
    return sum((b - a) * (s + t) / 2 for (a, b), (s, t) in zip(pairwise(at), pairwise(scores), strict=True))


def published_area(scores):
    """Trapezoids of width one over the number of scores."""
    return sum((s + t) / 2 for s, t in pairwise(scores)) / len(scores)


class LivePixels:
    """The published perturber of images: what it hands out is its own buffer, changed by later steps."""

    def __init__(self, start, end):
        self.buffer, self.end = start.clone(), end

    def perturb(self, place):
        self.buffer[place] = self.end[place]

    def current(self):
        return self.buffer


def published_image_scores(function, start, end, places, order, step):
    """Eighty steps are collected and scored together, after the last of them has changed them all."""
    perturber, scores, collected = LivePixels(start, end), [], []
    for first in range(0, len(order), step):
        for place in order[first : first + step]:
            perturber.perturb(places[place])
        collected.append(perturber.current())
        if len(collected) == 80 or first + step >= len(order):
            scores += [function(x) for x in collected]
            collected = []
    return scores


def pearson(a, b):
    """Correlation of two lists, 0 when one is constant."""
    a, b = ([v - math.fsum(row) / len(row) for v in row] for row in (a, b))
    size = math.sqrt(math.fsum(v * v for v in a) * math.fsum(v * v for v in b))
    return math.fsum(v * w for v, w in zip(a, b, strict=True)) / size if size > 1e-9 else 0.0


def sensitivity(function, x, blank, worth, places, sets):
    """Correlation over given sets of places between their worth and the drop without them."""
    sums, drops = [], []
    for chosen in sets:
        hidden = x.clone()
        for place in chosen:
            hidden[places[place]] = blank[places[place]]
        sums.append(sum(worth[place] for place in chosen))
        drops.append(function(x) - function(hidden))
    return pearson(sums, drops)


def pixels(x):
    """The sites of each pixel of one image (channel, row, column), row by row."""
    return [(slice(None), i, j) for i in range(x.shape[1]) for j in range(x.shape[2])]


def steps(x):
    """The sites of each step of one series (time, feature)."""
    return [(t,) for t in range(x.shape[0])]


def elements(x):
    """Each site by itself."""
    return [tuple(i) for i in torch.ones(x.shape).nonzero().tolist()]
