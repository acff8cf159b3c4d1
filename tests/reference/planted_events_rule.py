"""The rule of the planted events, event by event."""


def label_and_truth(steps, redundancy):
    """Read the class off the events of a series, each step a list of 0 or 1 per type; give the sites that decide it."""
    result = [(t, kind) for t, step in enumerate(steps) for kind, seen in enumerate(step) if seen]
    sites = [(t, kind) for t, kind in result if kind < 2 * redundancy]
    classes = {kind // redundancy for _, kind in sites}
    assert len(classes) == 1
    return classes.pop(), sites
