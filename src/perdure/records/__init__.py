"""The memory: run folders and Parquet parts; the only room that writes."""
