"""The rule of planted text, applied to sentences as a reader would; imports nothing of perdure."""

import re

GOOD = """amazing beautiful brilliant charming clever delightful excellent fine fresh funny good graceful great gripping
honest lovely moving perfect sharp smart strong superb tender wonderful"""
BAD = """awful bad bland boring clumsy confusing dreadful dull empty flat forgettable hollow horrible lazy messy poor
predictable shallow silly stale terrible tedious tired weak"""
BESIDE = """advert box bus cafe carpet cinema coat dinner foyer hotel lift lobby menu parking popcorn poster queue seat
staff street ticket trailer usher weather"""
NEGATION = {"not", "never", "hardly", "cannot", "no", "nobody", "far"}


def labels_and_evidence(text):
    """Give the class of a review, and the words that speak for it."""
    good, bad, beside = (set(words.split()) for words in (GOOD, BAD, BESIDE))
    votes = []
    for sentence in re.findall(r"[^.]+", text.lower()):
        words = sentence.split()
        sentiment = [word for word in words if word in good | bad]
        if not sentiment or beside & set(words) or re.match(r"\s*my \w+ (called|calls|said)", sentence):
            continue
        negations = [word for word in words if word in NEGATION]
        vote = (sentiment[0] in good) != bool(negations)
        votes.append((vote, [*negations, *sentiment]))
    label = int(2 * sum(vote for vote, _ in votes) > len(votes))
    return label, [word for vote, words in votes if vote == bool(label) for word in words]
