"""Attention to events, one sample, one step and one type at a time."""

import torch


def softmax(scores):
    """Of numbers in a dict."""
    top = max(scores.values())
    fractions = {key: torch.exp(score - top) for key, score in scores.items()}
    return {key: fraction / sum(fractions.values()) for key, fraction in fractions.items()}


def score(layer, last, output):
    """The published form, v' tanh(W h_T + U h_j + b)."""
    hidden = torch.tanh(layer.query.weight @ last + layer.key.weight @ output + layer.key.bias)
    return layer.weight.weight[0] @ hidden


def attend(layer, steps, last):
    """Give the weights of the outputs of one series."""
    return softmax({j: score(layer, last, output) for j, output in enumerate(steps)})


def attend_in_two_levels(layer, type_layer, steps, last, members):
    """Attend within each type, then across types; `members` are pairs of a step and a type.

    Gives the context, the weights of types, and those of steps.
    """
    kinds = sorted({kind for _, kind in members})
    within = {k: softmax({j: score(layer, last, steps[j]) for j, kind in members if kind == k}) for k in kinds}
    contexts = {k: sum(fraction * steps[j] for j, fraction in within[k].items()) for k in kinds}
    across = softmax({k: score(type_layer, last, context) for k, context in contexts.items()})
    weight = [sum(across[k] * within[k].get(j, 0) for k in kinds) for j in range(len(steps))]
    return sum(across[k] * contexts[k] for k in kinds), across, weight
