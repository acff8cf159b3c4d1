"""Seconds and bytes: what perdure costs, next to slow references and peers, in one run."""
