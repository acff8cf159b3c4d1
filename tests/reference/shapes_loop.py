"""Which pixels a shape holds, decided one by one from the text: four shapes of one area."""

import math


def holds(kind: str, right: float, down: float, radius: float) -> bool:
    """Return whether a place, seen upright from the middle, lies inside a shape with the area of a circle."""
    area = math.pi * radius**2
    if kind == "circle":
        return math.hypot(right, down) < radius
    if kind == "square":
        side = math.sqrt(area)
        return abs(right) < side / 2 and abs(down) < side / 2
    if kind == "cross":  # five squares
        side = math.sqrt(area / 5)
        across = abs(right) < 1.5 * side and abs(down) < 0.5 * side
        along = abs(right) < 0.5 * side and abs(down) < 1.5 * side
        return across or along
    side = math.sqrt(4 * area / math.sqrt(3))  # of an equal-sided triangle that points up
    height = side * math.sqrt(3) / 2
    above_base = height / 3 - down
    return 0 < above_base < height and abs(right) < side / 2 * (1 - above_base / height)
