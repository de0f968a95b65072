"""Runs that others can see: bundles, their checks, and the board over many runs."""
