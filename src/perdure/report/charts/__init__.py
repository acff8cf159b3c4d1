"""Charts and maps as figures or pieces of a page."""
