"""The direction problem of valley tracking, handed to a general solver."""

import numpy as np
from scipy.optimize import minimize


def direction(to, gradient, descent):
    """Maximise cos(d, to) over the unit ball with <d, gradient> / |gradient| at most -descent."""
    to, uphill = to / np.linalg.norm(to), gradient / np.linalg.norm(gradient)
    rules = [
        {"type": "ineq", "fun": lambda d: 1 - d @ d},
        {"type": "ineq", "fun": lambda d: -descent - d @ uphill},
    ]
    result = minimize(lambda d: -(d @ to), -uphill, constraints=rules, options={"maxiter": 1000, "ftol": 1e-10})
    assert result.success, result.message
    return result.x
