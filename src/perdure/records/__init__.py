"""Run folders and Parquet parts; the only package that writes files of results."""
