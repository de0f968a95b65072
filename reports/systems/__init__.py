"""The predictions of a run folder, pooled for each system."""
