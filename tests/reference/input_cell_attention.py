"""Input-cell attention as the paper writes it: for each step and hop a softmax over the steps so far."""

import torch


def running_averages(scores, values, mask=None):
    """M_t of every hop, (batch, time, hop, feature): sum over valid i <= t of softmax(e_1..e_t)_i x_i."""
    batch, time, hops = scores.shape
    zero = torch.zeros(values.shape[2], dtype=values.dtype)
    rows = []
    for b in range(batch):
        for t in range(time):
            seen = [i for i in range(t + 1) if mask is None or mask[b, i]]
            valid = bool(seen) and seen[-1] == t
            for h in range(hops):
                rows.append(torch.softmax(scores[b, seen, h], 0) @ values[b, seen] if valid else zero)
    return torch.stack(rows).reshape(batch, time, hops, -1)


def input_cell_attention(x, weights, mask=None, position=None, reduction="mean"):
    """A_t = softmax(W_2 tanh(W_1 X_t^T)), M_t = A_t X_t, with the biases of the published code."""
    w1, b1, w2, b2 = weights
    rows = []
    for sample in x:
        for t, step in enumerate(sample):
            hidden = w1 @ step + b1
            rows.append(w2 @ torch.tanh(hidden if position is None else hidden + position[t]) + b2)
    m = running_averages(torch.stack(rows).reshape(*x.shape[:2], -1), x, mask)
    return m.mean(2) if reduction == "mean" else m.flatten(2)


def sinusoidal_position(time, size):
    """p_t: sines of t * 1000^(-i / size) for even i, then the cosines, cut to the size."""
    rates = [1000.0 ** (-i / size) for i in range(0, size, 2)]
    angles = torch.tensor([[t * rate for rate in rates] for t in range(time)], dtype=torch.float64)
    return torch.cat([torch.sin(angles), torch.cos(angles)], 1)[:, :size]
