"""The boxes, written as loops over cells from the published table (steps and features of 100)."""

BOXES = {
    "earlier": [(0, 30, [(10, 90)])],
    "latter": [(70, 100, [(10, 90)])],
    "middle": [(20, 80, [(20, 80)])],
    "three_earlier": [(0, 40, [(0, 30), (35, 65), (70, 100)])],
    "three_middle": [(25, 65, [(0, 30), (35, 65), (70, 100)])],
    "mixed": [(0, 30, [(10, 90)]), (20, 80, [(20, 80)]), (70, 100, [(10, 90)])],
    "moving": [(start, start + 60, [(20, 80)]) for start in (0, 10, 20, 30, 40)],
}


def box_cells(variant: str, size: int) -> list[list[list[bool]]]:
    """Give every box that a sample may have, as rows of steps; size divides 100."""
    scale = 100 // size
    cells = []
    for first, last, ranges in BOXES[variant]:
        rows = []
        for step in range(size):
            inside = first <= step * scale < last
            rows.append([inside and any(low <= item * scale < high for low, high in ranges) for item in range(size)])
        cells.append(rows)
    return cells


def standardise_column(column: list[float], train: list[float]) -> list[float]:
    """Standardise one column by the mean and standard deviation of its training values."""
    mean = sum(train) / len(train)
    std = (sum((value - mean) ** 2 for value in train) / len(train)) ** 0.5
    return [(value - mean) / (std or 1.0) for value in column]
