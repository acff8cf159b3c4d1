"""Similarities of two rows, pair by pair and set by set, from their definitions."""

import math
from itertools import combinations


def _sign(x):
    return (x > 0) - (x < 0)


def kendall(a, b):
    same = untied = other = 0
    for i, j in combinations(range(len(a)), 2):
        x, y = _sign(a[i] - a[j]), _sign(b[i] - b[j])
        same, untied, other = same + x * y, untied + abs(x), other + abs(y)
    if not untied or not other:
        return float(untied == other)
    return same / math.sqrt(untied * other)


def top_jaccard(a, b, count):
    first, second = (set(sorted(range(len(x)), key=lambda i: -x[i])[:count]) for x in (a, b))
    return len(first & second) / len(first | second)


def jensen_shannon(a, b):
    p, q = ([x / sum(row) for x in row] for row in (a, b))
    middle = [(x + y) / 2 for x, y in zip(p, q, strict=True)]

    def divergence(row):
        return sum(x * math.log2(x / m) for x, m in zip(row, middle, strict=True) if x > 0)

    return (divergence(p) + divergence(q)) / 2


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)
