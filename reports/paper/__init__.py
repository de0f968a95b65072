"""A table, two figures, a methods text and its references for chosen systems of a run."""
