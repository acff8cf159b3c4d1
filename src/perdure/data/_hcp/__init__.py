"""Helpers of fMRI data: cortical regions, runs, signals and timing of the Human Connectome Project."""
