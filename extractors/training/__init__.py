"""Trains networks on the rows of a fold."""
