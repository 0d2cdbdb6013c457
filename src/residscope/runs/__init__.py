"""One frozen run of a model, and every number read off it."""
