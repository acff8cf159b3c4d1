"""Seconds and bytes: what perdure costs, beside slow references and peers, in one run."""
