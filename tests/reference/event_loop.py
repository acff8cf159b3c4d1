"""Pooling by event type as the specification writes it, one sequence and one type at a time."""

import math


def pool(steps, event, valid, types, mean):
    values, present = [], []
    for kind in range(types):
        result = [sum(step) for step, k, v in zip(steps, event, valid, strict=True) if v and k == kind]
        present.append(bool(result))
        values.append(sum(result) / (len(result) if mean and result else 1))
    return values, present


def over_time(steps, valid):
    """Divide each feature by its Euclidean norm over the valid steps."""
    kept = [step for step, v in zip(steps, valid, strict=True) if v]
    norms = [math.sqrt(sum(step[d] ** 2 for step in kept)) for d in range(len(steps[0]))]
    return [[number / norm for number, norm in zip(step, norms, strict=True)] for step in steps]
