"""The pictures: the only room that draws."""
