"""Bottlenecks written from the papers, one sample at a time, differentiated by torch."""

import torch


def capacity(keep, x, m):
    """Nats of each site, from the divergence of two Gaussians."""
    ratio = (1 - keep) ** 2 / (1 - m * keep) ** 2
    away = ((keep - m * keep) * x / (1 - m * keep)) ** 2
    return -0.5 * (1 + torch.log(ratio) - away - ratio)


def search(target, x, noise, mean, std, m, *, beta, rate, start, shared, valid):
    """Minimise minus the target plus beta times the mean capacity over the logits of a mask.

    Args:
        target: from points (copies, *site) to one number each.
        x: one sample.
        noise: standard normal, (steps, copies, *site).
        mean, std: Mean and standard deviation of the noise.
        m: the prior mask.
        shared: the axis of the sample along which sites share a mask, or None.
        valid: true at sites that count.
    """
    size = [1 if axis == shared else length for axis, length in enumerate(x.shape)]
    alpha = torch.full(size, start, dtype=x.dtype, requires_grad=True)
    adam = torch.optim.Adam([alpha], rate)
    for drawn in noise:
        keep = torch.sigmoid(alpha).expand_as(x)
        points = keep * x + (1 - keep) * (mean + std * drawn)
        information = capacity(keep, (x - mean) / std, m)[valid].mean()
        loss = -target(points).mean() + beta * information
        adam.zero_grad()
        loss.backward()
        adam.step()
    keep = torch.sigmoid(alpha).expand_as(x).detach()
    return alpha.detach(), capacity(keep, (x - mean) / std, m) * valid


def anneal(target, x, noise, mean, std, *, betas, rate, start, shared, valid, warm_up):
    """Minimise minus the target plus a growing penalty of the summed capacity; return the mean mask and all logits.

    Args:
        target: Function from points (copies, *site) to one number each.
        x: One sample.
        noise: Noise in the units of the inputs, (steps, copies, *site).
        mean, std: Mean and standard deviation of the noise.
        betas: Penalty of each step.
        rate, start: Learning rate and first logit.
        shared: Axis of the sample along which elements have the same mask, or None.
        valid: True at elements that count.
        warm_up: Number of steps that the mean leaves out.
    """
    size = [1 if axis == shared else length for axis, length in enumerate(x.shape)]
    alpha = torch.full(size, start, dtype=x.dtype, requires_grad=True)
    adam = torch.optim.Adam([alpha], rate)
    masks, logits = [], []
    for drawn, beta in zip(noise, betas, strict=True):
        keep = torch.sigmoid(alpha).expand_as(x)
        masks.append(keep.detach())
        logits.append(alpha.detach().clone())
        information = capacity(keep, (x - mean) / std, torch.zeros_like(x))[valid].sum()
        loss = -target(keep * x + (1 - keep) * drawn).mean() + beta * information
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            alpha.clamp_(-8, 8)
    return torch.stack(masks[warm_up:]).mean(0), torch.stack([*logits, alpha.detach()])
