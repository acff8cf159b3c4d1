"""Several trainings of one model side by side: what they say, how far they agree, and what remedies buy."""
