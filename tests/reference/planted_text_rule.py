"""The rule of planted text, applied to sentences as a reader would; imports nothing of perdure."""

import re
from itertools import pairwise

GOOD = """amazing beautiful brilliant charming clever delightful excellent fine fresh funny good graceful great gripping
honest lovely moving perfect sharp smart strong superb tender wonderful"""
BAD = """awful bad bland boring clumsy confusing dreadful dull empty flat forgettable hollow horrible lazy messy poor
predictable shallow silly stale terrible tedious tired weak"""
TURN_ROUND = {"barely", "hardly", "never", "not", "rarely", "scarcely", "seldom"}


def votes_of(text):
    """Give what each statement with a sentiment is evidence for, 0 or 1, with the sentiment and the word before it."""
    good, bad = set(GOOD.split()), set(BAD.split())
    pairs = [pair for sentence in re.findall(r"[^.]+", text.lower()) for pair in pairwise(sentence.split())]
    return [
        (int((word in good) != (before in TURN_ROUND)), before, word) for before, word in pairs if word in good | bad
    ]


def labels_and_evidence(text):
    """Give the class of a review, and the words that are evidence for it."""
    votes = votes_of(text)
    label = int(2 * sum(vote for vote, _, _ in votes) > len(votes))
    return label, [item for vote, before, word in votes if vote == label for item in (before, word)]
