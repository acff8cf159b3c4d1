"""Classifying a series one sample and one step at a time, as the papers write it."""

import torch


def run_steps(recurrence, x):
    """Outputs of a unidirectional recurrence fed one step after the other, (time, hidden)."""
    hidden, outputs = None, []
    for step in x:
        output, hidden = recurrence(step[None, None], hidden)
        outputs.append(output[0, 0])
    return torch.stack(outputs)


def pool(kind, outputs):
    """Last, mean or max of the outputs (time, hidden) of one sample."""
    return {"last": outputs[-1], "mean": outputs.mean(0), "max": outputs.max(0).values}[kind]


def self_attention(outputs, w1, w2):
    """Lin et al. 2017: A = softmax(W_2 tanh(W_1 H^T)), flattened A H, for the outputs (time, u) of one sample."""
    attention = torch.softmax(w2 @ torch.tanh(w1 @ outputs.T), dim=1)
    return (attention @ outputs).flatten()
